import { CompiledSchema } from '@allsource/schemas/json-schema';
import type { SchemaVersion } from '@allsource/schemas/registry';
import { invalidUpcaster } from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { eventTypeFault, quoted } from '@allsource/shared/model';
import { parseUpcasterDraft } from './parse-upcaster-draft.ts';
import type { UpcasterDraft } from './upcaster-service.ts';

/** A schema to register. */
export interface SchemaDraft {
  readonly subject: string;
  /** The JSON text of the schema. */
  readonly text: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** The version that the caller expects it to become; null: any. */
  readonly version: number | null;
  /** The JSON text of the step that leads to it from the version before; null: none. */
  readonly upcaster: string | null;
}

/** The schema of a draft, compiled. Throws `invalid_schema`. */
export function compiledDraft(text: string): CompiledSchema {
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.schemaBytesMax)
    throw problem(
      'invalid_schema',
      `The schema is ${bytes} bytes; at most ${LIMITS.schemaBytesMax} are allowed.`,
      { limit_bytes: LIMITS.schemaBytesMax, bytes },
    );
  return new CompiledSchema(JSON.parse(text));
}

/** The step to the version that is registered, from the one before; null without one. Throws `invalid_upcaster`. */
export function upcasterDraft(
  { upcaster }: SchemaDraft,
  latest: SchemaVersion | null,
): UpcasterDraft | null {
  if (upcaster === null) return null;
  const pointer = '/upcaster';
  if (latest === null)
    throw invalidUpcaster(pointer, 'the first version has none before it that it could begin at.');
  const step = parseUpcasterDraft(upcaster, { pointer, fromVersion: latest.version });
  if (step.toVersion === latest.version + 1) return step;
  throw invalidUpcaster(
    `${pointer}/to_version`,
    `it is ${step.toVersion}; this schema becomes version ${latest.version + 1}.`,
  );
}

/** Throws `invalid_body` when the caller expects another version than comes next. */
export function requireVersion(
  { subject, version }: SchemaDraft,
  latest: SchemaVersion | null,
): void {
  const next = (latest?.version ?? 0) + 1;
  if (version === null || version === next) return;
  throw problem(
    'invalid_body',
    `'version' is ${version}; the next version of ${quoted(subject)} is ${next}. Leave it out to register whatever comes next.`,
    { pointer: '/version', next_version: next },
  );
}

/** Throws `invalid_event_type`. */
export function requireSubject(subject: string): void {
  const fault = eventTypeFault(subject);
  if (fault !== null) throw problem('invalid_event_type', fault, { pointer: '/subject' });
}

/** A draft that takes no room but for its subject. */
export function emptyDraft(subject: string): SchemaDraft {
  return { subject, text: '', description: null, tags: [], version: null, upcaster: null };
}
