/** What the keywords of a schema become: checks, which are closures that call each other. No text is ever turned into code. */
import type { LinearPattern } from './linear-pattern.ts';
import type { Dialect, JsonObject, SchemaPart } from './schema-document.ts';
import type { Seen } from './seen.ts';
import type { ValidationRun } from './validation-run.ts';

/**
 * Judges a value. `seen` takes note of which members and items the schema has looked at; null where no `unevaluated...` keyword asks. Throws a
 * BudgetSpentError.
 */
export type Check = (value: unknown, run: ValidationRun, seen: Seen | null) => boolean;

/** One schema while it is compiled. */
export interface SchemaSite {
  readonly part: SchemaPart;
  readonly schema: JsonObject;
  readonly dialect: Dialect;
  /** A keyword's value; undefined where there is none. */
  keyword(name: string): unknown;
  /** The check of a schema within this one. */
  within(...steps: (string | number)[]): Check;
  /** The check of what a reference leads to. */
  reference(text: string): Check;
  /** The same for a dynamic reference. */
  dynamicReference(text: string): Check;
  /** A pattern, compiled. Throws `invalid_schema`. */
  pattern(source: unknown, keyword: string): LinearPattern;
  /** The refusal of a keyword's value. */
  refuse(keyword: string, allowed: string): Error;
}

/** Makes the checks of some keywords of a schema. */
export type KeywordCompiler = (site: SchemaSite) => Check[];

/** The names of the JSON types. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Shows a value of a schema in a sentence. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A keyword's value that must be a whole number of at least 0; null where there is none. */
export function countOf(site: SchemaSite, name: string): number | null {
  const value = site.keyword(name);
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw site.refuse(name, 'a whole number of at least 0');
}

/** A keyword's value that must be a finite number; null where there is none. */
export function numberOf(site: SchemaSite, name: string): number | null {
  const value = site.keyword(name);
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw site.refuse(name, 'a number');
}

/** A keyword's value that must be a list of names; null where there is none. */
export function namesOf(
  site: SchemaSite,
  name: string,
  value = site.keyword(name),
): string[] | null {
  if (value === undefined) return null;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw site.refuse(name, 'a list of texts');
}

/** The members of a keyword that must be an object; none where there is no such keyword. */
export function membersOf(site: SchemaSite, name: string): [string, unknown][] {
  const value = site.keyword(name);
  if (value === undefined) return [];
  if (isRecord(value)) return Object.entries(value);
  throw site.refuse(name, 'an object');
}

/** The indexes of a keyword that must be a list of schemas; none where there is no such keyword. */
export function listedChecks(site: SchemaSite, name: string): Check[] {
  const value = site.keyword(name);
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length > 0)
    return value.map((_, index) => site.within(name, index));
  throw site.refuse(name, 'a list of at least one schema');
}

/** The check of a keyword that is a schema; null where there is none. */
export function innerCheck(site: SchemaSite, name: string): Check | null {
  return site.keyword(name) === undefined ? null : site.within(name);
}
