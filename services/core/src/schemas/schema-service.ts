/**
 * Schemas: what they are is in the log (schema-fold.ts), and every change is a system event of the tenant. The fold has taken a change before its caller is
 * answered, so the next append of that caller is judged by it.
 *
 * One change at a time: which version comes next and whether it goes with the one before must still be true when it is written. A crash between the
 * append and the answer leaves a version that its client does not know of; registering the same schema again makes the next one, as every registration does.
 */
import { randomUUID } from 'node:crypto';
import {
  type PayloadFunctions,
  tryUpcaster,
  versionsWithoutPath,
} from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted, SYSTEM_TENANT } from '@allsource/shared/model';
import type { CompatibilityMode, SchemaEnforcement } from '@allsource/shared/protocol';
import type { SystemAppender } from '../append/append-port.ts';
import type { ChangeTurns } from './change-turns.ts';
import {
  compiledDraft,
  emptyDraft,
  requireSubject,
  requireVersion,
  type SchemaDraft,
  upcasterDraft,
} from './schema-draft.ts';
import { requireComplete, setting, type UpcasterDraft } from './upcaster-service.ts';
import {
  type CompiledSchema,
  incompatibilities,
  type SchemaViolation,
} from '@allsource/schemas/json-schema';
import {
  type CompiledSchemas,
  payloadSteps,
  type SchemaFold,
  type SchemaVersion,
} from '@allsource/schemas/registry';

export interface SchemaServiceOptions {
  readonly fold: SchemaFold;
  readonly compiled: CompiledSchemas;
  readonly appender: SystemAppender;
  readonly hasTenant: (tenantId: string) => boolean;
  readonly turns: ChangeTurns;
  /** Where upcasters that are functions are tried. */
  readonly functions: PayloadFunctions;
}

/** What a payload is to be judged by. */
export interface PayloadToValidate {
  readonly subject: string;
  readonly payload: unknown;
  /** Bytes of the payload's text. */
  readonly bytes: number;
  /** Null: the newest. */
  readonly version: number | null;
}

export interface PayloadJudgement {
  readonly isValid: boolean;
  readonly violations: readonly SchemaViolation[];
  readonly version: number;
}

const INCOMPATIBILITIES_SHOWN = 10;

export class SchemaService {
  readonly #options: SchemaServiceOptions;

  constructor(options: SchemaServiceOptions) {
    this.#options = options;
  }

  /**
   * Registers the next version of a subject, and in the same commit the step that leads to it, so that no reader meets the one without the other. Throws `invalid_schema`,
   * `schema_incompatible`, `too_many_schemas`, and for the step `invalid_upcaster` or `upcasters_incomplete`.
   */
  register(tenant: string, draft: SchemaDraft): Promise<SchemaVersion> {
    return this.#options.turns.run(async () => {
      const { fold, appender } = this.#options;
      const { subject, text, description, tags } = draft;
      requireSubject(subject);
      const schema = compiledDraft(text);
      const latest = fold.latest(tenant, subject);
      const step = upcasterDraft(draft, latest);
      this.#requireRoom(tenant, draft);
      requireVersion(draft, latest);
      this.#requireCompatible(tenant, subject, schema);
      if (step !== null) await this.#requireUpcaster(tenant, { step, schema, latest });
      const facts = {
        id: randomUUID(),
        subject,
        version: (latest?.version ?? 0) + 1,
        description,
        tags,
      };
      // The schema's own text goes into the log: printing what was parsed would change its numbers.
      const payloadText = `${JSON.stringify(facts).slice(0, -1)},"schema":${text}}`;
      const payload = { ...facts, schema: null };
      await appender.appendSystem(tenant, [
        {
          entity: `schema:${subject}`,
          event: { type: '_system.schema.registered', payload },
          payloadText,
        },
        ...(step === null ? [] : [setting(subject, step)]),
      ]);
      return this.find(tenant, subject, facts.version);
    });
  }

  async #requireUpcaster(
    tenant: string,
    {
      step,
      schema,
      latest,
    }: { step: UpcasterDraft; schema: CompiledSchema; latest: SchemaVersion | null },
  ): Promise<void> {
    if (latest === null) return;
    const { fold, compiled, functions } = this.#options;
    const { subject } = latest;
    const known = fold.subject(tenant, subject)?.upcasters ?? [];
    const after = new Map<number, Pick<UpcasterDraft, 'toVersion'>>(known);
    requireComplete(subject, after.set(latest.version, step), latest.version + 1);
    await tryUpcaster({ ...step, source: compiled.of(latest), target: schema, functions });
  }

  #requireRoom(tenant: string, { subject, text, upcaster }: SchemaDraft): void {
    const { fold } = this.#options;
    const subjects = fold.subjects(tenant);
    const versions = subjects.get(subject)?.versions.length ?? 0;
    const limits = [
      [
        fold.bytes(tenant) + Buffer.byteLength(text + (upcaster ?? '')),
        LIMITS.schemaTenantBytesMax,
        'bytes',
      ],
      [subjects.size + (subjects.has(subject) ? 0 : 1), LIMITS.schemaSubjectsMax, 'subjects'],
      [versions + 1, LIMITS.schemaVersionsMax, `versions of ${quoted(subject)}`],
    ] as const;
    for (const [wanted, limit, what] of limits)
      if (wanted > limit)
        throw problem(
          'too_many_schemas',
          `With this schema the tenant would have ${wanted} ${what} of schemas; at most ${limit} are allowed.`,
          { limit, wanted },
        );
  }

  #requireCompatible(tenant: string, subject: string, schema: CompiledSchema): void {
    const { fold, compiled } = this.#options;
    const { compatibility, versions } = fold.subjects(tenant).get(subject) ?? {};
    const latest = versions?.at(-1);
    if (latest === undefined || compatibility === undefined) return;
    const faults = incompatibilities(compatibility, { before: compiled.of(latest), after: schema });
    if (faults.length === 0) return;
    const shown = faults.slice(0, INCOMPATIBILITIES_SHOWN);
    throw problem(
      'schema_incompatible',
      `Schema compatibility check failed: ${shown.map(({ message }) => message).join('; ')}. The subject ${quoted(subject)} has the compatibility ${compatibility}; version ${latest.version} was compared.`,
      { subject, version: latest.version, compatibility, incompatibilities: shown },
    );
  }

  /** A version of a subject, or the newest. Throws `schema_not_found`. */
  find(tenant: string, subject: string, version: number | null = null): SchemaVersion {
    const versions = this.#options.fold.subjects(tenant).get(subject)?.versions ?? [];
    const found = version === null ? versions.at(-1) : versions[version - 1];
    if (found !== undefined) return found;
    const detail =
      versions.length === 0
        ? `There is no schema of the subject ${quoted(subject)}.`
        : `The schema of ${quoted(subject)} has no version ${version}; it has 1 to ${versions.length}.`;
    throw problem('schema_not_found', detail, { subject });
  }

  /** All versions of a subject, 1 first. Throws `schema_not_found`. */
  versions(tenant: string, subject: string): readonly SchemaVersion[] {
    this.find(tenant, subject);
    return this.#options.fold.subjects(tenant).get(subject)?.versions ?? [];
  }

  /** The newest version of each subject, by name. */
  list(tenant: string): SchemaVersion[] {
    const subjects = [...this.#options.fold.subjects(tenant).values()];
    const newest = subjects.flatMap(({ versions }) => versions.slice(-1));
    return newest.sort((a, b) => (a.subject < b.subject ? -1 : 1));
  }

  /** What a further version of a subject has to keep. */
  compatibility(tenant: string, subject: string): CompatibilityMode {
    return this.#options.fold.subjects(tenant).get(subject)?.compatibility ?? 'BACKWARD';
  }

  /** The older versions that no steps bring to the newest, where the subject has steps at all: a version registered without a step leaves them behind. */
  versionsLeftBehind(tenant: string, subject: string): number[] {
    const known = this.#options.fold.subject(tenant, subject);
    if (known === null || known.upcasters.size === 0) return [];
    return versionsWithoutPath(known.upcasters, known.versions.length);
  }

  /** Says what a further version of a subject has to keep; the subject need not have a schema yet. Throws `invalid_event_type`. */
  setCompatibility(tenant: string, subject: string, mode: CompatibilityMode): Promise<void> {
    return this.#options.turns.run(async () => {
      requireSubject(subject);
      const { fold, appender } = this.#options;
      const known = fold.subjects(tenant).get(subject);
      if (known?.compatibility === mode) return;
      if (known === undefined) this.#requireRoom(tenant, emptyDraft(subject));
      await appender.appendSystem(tenant, [
        {
          entity: `schema:${subject}`,
          event: {
            type: '_system.schema.compatibility_set',
            payload: { subject, compatibility: mode },
          },
        },
      ]);
    });
  }

  /** Says what the tenant does about payloads that do not fit. Throws `tenant_not_found`. */
  setEnforcement(tenant: string, enforcement: SchemaEnforcement): Promise<void> {
    return this.#options.turns.run(async () => {
      const { fold, appender, hasTenant } = this.#options;
      if (!hasTenant(tenant))
        throw problem('tenant_not_found', `There is no tenant ${quoted(tenant)}.`);
      if (fold.enforcement(tenant) === enforcement) return;
      const payload = { tenant_id: tenant, schema_enforcement: enforcement };
      await appender.appendSystem(SYSTEM_TENANT, [
        {
          entity: `tenant:${tenant}`,
          event: { type: '_system.tenant.schema_enforcement_set', payload },
        },
      ]);
    });
  }

  enforcement(tenant: string): SchemaEnforcement {
    return this.#options.fold.enforcement(tenant);
  }

  /** Judges a payload without storing anything. Throws `schema_not_found`. */
  validate(
    tenant: string,
    { subject, payload, bytes, version }: PayloadToValidate,
  ): PayloadJudgement {
    const schema = this.find(tenant, subject, version);
    const compiled = this.#options.compiled.of(schema);
    const steps = payloadSteps(bytes);
    const { kind } = compiled.judge(payload, steps);
    if (kind === 'good') return { isValid: true, violations: [], version: schema.version };
    const violations = kind === 'bad' ? compiled.explain(payload, steps) : [stepsSpent(steps)];
    return { isValid: false, violations, version: schema.version };
  }
}

/** What stands for the violations of a payload that could not be judged. */
export function stepsSpent(steps: number): SchemaViolation {
  return {
    pointer: '',
    rule: 'steps',
    message: `Validation takes more than the ${Math.floor(steps)} steps that a payload of this size may take: simplify the schema, or the payload`,
  };
}
