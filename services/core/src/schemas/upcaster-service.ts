/**
 * Upcasters: the steps that bring payloads of older versions of a schema into the form of newer ones when they are read. They are system events like the schemas
 * (schema-fold.ts), and the fold has taken a change before its caller is answered. Who reads carries them out: the query service.
 *
 * A change is accepted when afterwards steps lead from every older version to the newest, and each step that it brings has been tried. It takes its turn with the
 * registrations of schemas, so the newest version is still that one when the change is written. A chain that is set as a whole is one commit: readers
 * meet the old one or the new one.
 */
import {
  type CompiledSchemas,
  type SchemaFold,
  type SchemaUpcaster,
  upcasterBytes,
  type UpcasterWork,
} from '@allsource/schemas/registry';
import {
  invalidUpcaster,
  type PayloadFunctions,
  tryUpcaster,
  versionsWithoutPath,
} from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import type { SystemAppender, SystemEventDraft } from '../append/append-port.ts';
import type { ChangeTurns } from './change-turns.ts';

export interface UpcasterServiceOptions {
  readonly fold: SchemaFold;
  readonly compiled: CompiledSchemas;
  readonly appender: SystemAppender;
  readonly turns: ChangeTurns;
  /** Where upcasters that are functions are tried. */
  readonly functions: PayloadFunctions;
}

/** Whose schema, and of what. */
export interface SubjectKey {
  readonly tenant: string;
  readonly subject: string;
}

/** A step to register. */
export interface UpcasterDraft {
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly description: string | null;
  readonly work: UpcasterWork;
  /** JSON texts of payloads of the older version to try it with; empty: they are made from its schema. */
  readonly samples: readonly string[];
  /** Where it stands in what was sent. */
  readonly pointer: string;
}

/** The steps of a subject. */
export interface UpcasterChain {
  readonly subject: string;
  readonly newestVersion: number;
  readonly upcasters: readonly SchemaUpcaster[];
  /** Older versions from which no steps lead to the newest. */
  readonly versionsWithoutPath: readonly number[];
}

const VERSIONS_SHOWN = 20;

export class UpcasterService {
  readonly #options: UpcasterServiceOptions;

  constructor(options: UpcasterServiceOptions) {
    this.#options = options;
  }

  /** The steps of a subject. Throws `schema_not_found`. */
  chain(key: SubjectKey): UpcasterChain {
    const { versions, upcasters } = this.#subject(key);
    return {
      subject: key.subject,
      newestVersion: versions.length,
      upcasters: [...upcasters.values()].sort((a, b) => a.fromVersion - b.fromVersion),
      versionsWithoutPath: versionsWithoutPath(upcasters, versions.length),
    };
  }

  /** The step that begins at a version. Throws `upcaster_not_found`. */
  find(key: SubjectKey, fromVersion: number): SchemaUpcaster {
    const known = this.#subject(key).upcasters.get(fromVersion);
    if (known !== undefined) return known;
    throw problem(
      'upcaster_not_found',
      `The schema of ${quoted(key.subject)} has no upcaster that begins at version ${fromVersion}.`,
      { subject: key.subject, from_version: fromVersion },
    );
  }

  /** Sets one step and keeps the others. Returns how many samples it was tried with. */
  set(key: SubjectKey, draft: UpcasterDraft): Promise<number> {
    return this.#options.turns.run(async () => {
      const { upcasters } = this.#subject(key);
      const after = new Map<number, Pick<SchemaUpcaster, 'toVersion'>>(upcasters);
      after.set(draft.fromVersion, draft);
      return this.#change(key, { drafts: [draft], removed: [], after });
    });
  }

  /** Sets all steps at once; those that are not among them are gone. */
  setAll(key: SubjectKey, drafts: readonly UpcasterDraft[]): Promise<number> {
    return this.#options.turns.run(async () => {
      const { upcasters } = this.#subject(key);
      const after = new Map(drafts.map((draft) => [draft.fromVersion, draft]));
      const removed = [...upcasters.keys()].filter((version) => !after.has(version));
      return this.#change(key, { drafts, removed, after });
    });
  }

  /** Removes one step. Events of its version, and of older ones that come by it, cannot be upcast until there is another. */
  remove(key: SubjectKey, fromVersion: number): Promise<void> {
    return this.#options.turns.run(async () => {
      this.find(key, fromVersion);
      await this.#append(key, [removal(key.subject, fromVersion)]);
    });
  }

  async #change(
    key: SubjectKey,
    change: {
      readonly drafts: readonly UpcasterDraft[];
      readonly removed: readonly number[];
      readonly after: ReadonlyMap<number, Pick<SchemaUpcaster, 'toVersion'>>;
    },
  ): Promise<number> {
    const { versions } = this.#subject(key);
    const { drafts, removed, after } = change;
    for (const draft of drafts) requireVersions(draft, versions.length);
    requireComplete(key.subject, after, versions.length);
    this.#requireRoom(key, change);
    let tried = 0;
    for (const draft of drafts) tried += await this.#try(key, draft);
    await this.#append(key, [
      ...removed.map((version) => removal(key.subject, version)),
      ...drafts.map((draft) => setting(key.subject, draft)),
    ]);
    return tried;
  }

  #try(key: SubjectKey, draft: UpcasterDraft): Promise<number> {
    const { versions } = this.#subject(key);
    const { compiled, functions } = this.#options;
    const source = compiled.of(must(versions[draft.fromVersion - 1], 'the older version'));
    const target = compiled.of(must(versions[draft.toVersion - 1], 'the newer version'));
    return tryUpcaster({ ...draft, source, target, functions });
  }

  #requireRoom(
    key: SubjectKey,
    {
      drafts,
      removed,
    }: { readonly drafts: readonly UpcasterDraft[]; readonly removed: readonly number[] },
  ): void {
    const { upcasters } = this.#subject(key);
    let bytes = this.#options.fold.bytes(key.tenant);
    for (const version of [...removed, ...drafts.map(({ fromVersion }) => fromVersion)]) {
      const known = upcasters.get(version);
      if (known !== undefined) bytes -= upcasterBytes(known);
    }
    for (const draft of drafts) bytes += upcasterBytes(draft);
    const limit = LIMITS.schemaTenantBytesMax;
    if (bytes <= limit) return;
    throw problem(
      'too_many_schemas',
      `With these upcasters the tenant would have ${bytes} bytes of schemas; at most ${limit} are allowed.`,
      { limit, wanted: bytes },
    );
  }

  async #append({ tenant }: SubjectKey, drafts: SystemEventDraft[]): Promise<void> {
    if (drafts.length > 0) await this.#options.appender.appendSystem(tenant, drafts);
  }

  #subject({ tenant, subject }: SubjectKey) {
    const known = this.#options.fold.subject(tenant, subject);
    if (known !== null && known.versions.length > 0) return known;
    throw problem('schema_not_found', `There is no schema of the subject ${quoted(subject)}.`, {
      subject,
    });
  }
}

/** The system event that sets a step. The mappings go into the log as they were sent: printing what was parsed would change their numbers. */
export function setting(subject: string, draft: UpcasterDraft): SystemEventDraft {
  const facts = {
    subject,
    from_version: draft.fromVersion,
    to_version: draft.toVersion,
    description: draft.description,
  };
  const { work } = draft;
  const text =
    'mappings' in work
      ? `"mappings":${work.mappings}`
      : `"mappings":null,"function":${JSON.stringify(work.function)}`;
  return {
    entity: `schema:${subject}`,
    event: { type: '_system.schema.upcaster_set', payload: { ...facts, mappings: null } },
    payloadText: `${JSON.stringify(facts).slice(0, -1)},${text}}`,
  };
}

function removal(subject: string, fromVersion: number): SystemEventDraft {
  return {
    entity: `schema:${subject}`,
    event: {
      type: '_system.schema.upcaster_removed',
      payload: { subject, from_version: fromVersion },
    },
  };
}

function requireVersions({ fromVersion, toVersion, pointer }: UpcasterDraft, newest: number): void {
  if (fromVersion >= 1 && fromVersion < toVersion && toVersion <= newest) return;
  throw invalidUpcaster(
    `${pointer}/to_version`,
    `it leads from version ${fromVersion} to ${toVersion}; allowed is from an older version to a newer one, of the versions 1 to ${newest}.`,
  );
}

/** Throws `upcasters_incomplete` when there is an older version from which no steps lead to the newest. */
export function requireComplete(
  subject: string,
  upcasters: ReadonlyMap<number, Pick<SchemaUpcaster, 'toVersion'>>,
  newest: number,
): void {
  const missing = versionsWithoutPath(upcasters, newest);
  if (missing.length === 0) return;
  const shown = missing.slice(0, VERSIONS_SHOWN);
  const more = missing.length > VERSIONS_SHOWN ? ' and others' : '';
  throw problem(
    'upcasters_incomplete',
    `No steps would lead from version ${shown.join(', ')}${more} of ${quoted(subject)} to version ${newest}. Set the whole chain at once: PUT /api/v1/schemas/${encodeURIComponent(subject)}/upcasters with a list 'upcasters' that has a step from each older version, at most ${LIMITS.upcastStepsMax} one after the other.`,
    { subject, newest_version: newest, versions_without_path: shown },
  );
}
