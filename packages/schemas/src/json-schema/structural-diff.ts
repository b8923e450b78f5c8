/**
 * What has changed between two versions of a schema, as a list of places. It compares the documents as they stand: what a change means for payloads is said by
 * the compatibility check.
 */
import { isObject } from './schema-document.ts';
import { escapeToken } from './validation-run.ts';

export interface SchemaChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** JSON pointer into the schema; for a list of values, to the list. */
  readonly pointer: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface SchemaDiff {
  readonly changes: readonly SchemaChange[];
  /** True when there are more changes than are listed. */
  readonly isCut: boolean;
}

/** Lists whose order means nothing: they are compared as sets. */
const SETS = new Set(['required', 'enum', 'type', 'examples']);

/** The changes from one parsed schema to another, at most `changesMax` of them. */
export function structuralDiff(before: unknown, after: unknown, changesMax: number): SchemaDiff {
  const changes: SchemaChange[] = [];
  for (const change of changesAt('', before, after)) {
    if (changes.length === changesMax) return { changes, isCut: true };
    changes.push(change);
  }
  return { changes, isCut: false };
}

function* changesAt(pointer: string, before: unknown, after: unknown): Generator<SchemaChange> {
  if (isObject(before) && isObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      yield* memberChanges(`${pointer}/${escapeToken(name)}`, {
        before: Object.hasOwn(before, name) ? before[name] : undefined,
        after: Object.hasOwn(after, name) ? after[name] : undefined,
      });
  } else if (Array.isArray(before) && Array.isArray(after)) {
    const name = pointer.slice(pointer.lastIndexOf('/') + 1);
    yield* SETS.has(name)
      ? setChanges(pointer, before, after)
      : itemChanges(pointer, before, after);
  } else if (before !== after) yield { change: 'changed', pointer, before, after };
}

function* memberChanges(
  pointer: string,
  { before, after }: { readonly before: unknown; readonly after: unknown },
): Generator<SchemaChange> {
  if (before === undefined) yield { change: 'added', pointer, after };
  else if (after === undefined) yield { change: 'removed', pointer, before };
  else yield* changesAt(pointer, before, after);
}

function* itemChanges(
  pointer: string,
  before: readonly unknown[],
  after: readonly unknown[],
): Generator<SchemaChange> {
  for (let i = 0; i < Math.max(before.length, after.length); i++)
    yield* memberChanges(`${pointer}/${i}`, { before: before[i], after: after[i] });
}

function* setChanges(
  pointer: string,
  before: readonly unknown[],
  after: readonly unknown[],
): Generator<SchemaChange> {
  const [old, now] = [byText(before), byText(after)];
  for (const [text, value] of old)
    if (!now.has(text)) yield { change: 'removed', pointer, before: value };
  for (const [text, value] of now)
    if (!old.has(text)) yield { change: 'added', pointer, after: value };
}

function byText(values: readonly unknown[]): Map<string, unknown> {
  return new Map(values.map((value) => [JSON.stringify(value), value]));
}
