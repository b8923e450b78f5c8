/** What the rules of a comparison (implied-*.ts) know of each other, and what they find. */
import type { CompiledSchema } from './compiled-schema.ts';
import type { JsonObject, SchemaPart } from './schema-document.ts';
import type { SchemaSide } from './schema-side.ts';
import { escapeToken, type ValidationRun } from './validation-run.ts';

/** One reason why two versions do not go together. */
export interface Incompatibility {
  /** JSON pointer into the documents; `*` stands for any item or name. */
  readonly pointer: string;
  readonly rule: string;
  /** A sentence that names both. */
  readonly message: string;
}

/** What is compared: does everything that fits `narrow` fit the schema `wide`? */
export interface Comparison {
  readonly narrow: SchemaSide;
  readonly wide: SchemaPart;
  readonly schema: JsonObject;
  readonly pointer: string;
}

/** A comparison under way. */
export interface Implication {
  readonly direction: 'Backward' | 'Forward';
  /** What the comparison may still spend. */
  readonly work: ValidationRun;
  /** The document that the wide schemas are in. */
  readonly wide: CompiledSchema;
  /** Schemas of the narrow document that a value fits all at once. */
  narrowSide(parts: readonly SchemaPart[]): SchemaSide;
  wideSide(parts: readonly SchemaPart[]): SchemaSide;
  /** Notes a fault at a place. */
  fault(pointer: string, rule: string, text: string): void;
  /** Compares a member or an item with schemas that must all follow from what it is. */
  compareInside(narrow: SchemaSide, wanted: readonly SchemaPart[], pointer: string): void;
  /** True when that would find no fault; none is noted. */
  followsInside(narrow: SchemaSide, wanted: readonly SchemaPart[]): boolean;
}

/** A place one step further down. */
export function below(pointer: string, step: string | number): string {
  return `${pointer}/${escapeToken(String(step))}`;
}
