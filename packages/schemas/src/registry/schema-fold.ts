import type { Micros, Position } from '@allsource/shared/model';
import { POSITION_ZERO } from '@allsource/shared/model';
import { rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import {
  type CompatibilityMode,
  type LoggedSystemEvent,
  type FrameEvent,
  type SchemaEnforcement,
  type SchemaRegistered,
  type SchemaUpcasterSet,
  SystemFold,
} from '@allsource/shared/protocol';

/** One version of a schema. The object is the same for as long as the process lives. */
export interface SchemaVersion {
  readonly id: string;
  readonly subject: string;
  readonly version: number;
  /** As it was sent. */
  readonly text: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  readonly createdAt: Micros;
  /** Where its registration stands in the log: it is in force for what comes behind. */
  readonly position: Position;
  /** What it had to keep of the version before when it was registered. */
  readonly compatibility: CompatibilityMode;
}

/** What a step does: mappings as the JSON text that was sent, or the source of a function. */
export type UpcasterWork = { readonly mappings: string } | { readonly function: string };

/** A step that brings payloads from the form of one version into that of a later one. The object is the same for as long as the process lives. */
export interface SchemaUpcaster {
  readonly subject: string;
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly description: string | null;
  readonly work: UpcasterWork;
  readonly createdAt: Micros;
}

/** An event type with schemas. */
export interface SchemaSubject {
  readonly compatibility: CompatibilityMode;
  /** Version 1 first; none while only the compatibility is set. */
  readonly versions: readonly SchemaVersion[];
  /** By the version that they begin at. */
  readonly upcasters: ReadonlyMap<number, SchemaUpcaster>;
}

interface Subject {
  compatibility: CompatibilityMode;
  readonly versions: SchemaVersion[];
  readonly upcasters: Map<number, SchemaUpcaster>;
}

interface TenantSchemas {
  readonly subjects: Map<string, Subject>;
  bytes: number;
}

type SavedRow =
  | { readonly tenant: string; readonly schema: SchemaVersion }
  | { readonly tenant: string; readonly upcaster: SchemaUpcaster }
  | { readonly tenant: string; readonly subject: string; readonly compatibility: CompatibilityMode }
  | { readonly tenant: string; readonly enforcement: SchemaEnforcement };

const COMPATIBILITY_DEFAULT: CompatibilityMode = 'BACKWARD';

/** The fold of the schemas of all tenants, of their upcasters, of the compatibility of their subjects, and of what the tenants enforce. */
export class SchemaFold extends SystemFold {
  readonly sectionName = 'schemas/2';
  readonly #tenants = new Map<string, TenantSchemas>();
  readonly #enforcements = new Map<string, SchemaEnforcement>();

  protected override fold({ parsed, event, frame }: LoggedSystemEvent): void {
    const { tenant, recordedAt: createdAt } = frame;
    if (parsed.type === '_system.schema.registered') {
      const text = must(rawMembers(event.payload)?.get('schema'), 'the text of the schema');
      const { compatibility } = this.#subject(tenant, parsed.payload.subject);
      const { position } = event;
      this.#add(tenant, versionOf(parsed.payload, { text, createdAt, position, compatibility }));
    } else if (parsed.type === '_system.schema.upcaster_set') {
      this.#setUpcaster(tenant, upcasterOf(parsed.payload, { event, createdAt }));
    } else if (parsed.type === '_system.schema.upcaster_removed') {
      this.#removeUpcaster(tenant, parsed.payload.subject, parsed.payload.from_version);
    } else if (parsed.type === '_system.schema.compatibility_set')
      this.#subject(tenant, parsed.payload.subject).compatibility = parsed.payload.compatibility;
    else if (parsed.type === '_system.tenant.schema_enforcement_set')
      this.#enforcements.set(parsed.payload.tenant_id, parsed.payload.schema_enforcement);
  }

  /** Forgets everything. */
  clear(): void {
    this.#tenants.clear();
    this.#enforcements.clear();
    this.standAt(POSITION_ZERO);
  }

  /** A part may know of what came after the moment of the call; folding that again changes nothing. */
  save(): Iterable<Buffer> {
    return this.#parts(this.appliedPosition);
  }

  /** One part for each schema, so that none is large. */
  *#parts(position: Position): Generator<Buffer> {
    yield savedPart({ position });
    for (const [tenant, enforcement] of this.#enforcements)
      yield savedPart({ tenant, enforcement });
    for (const [tenant, { subjects }] of this.#tenants)
      for (const [subject, { compatibility, versions, upcasters }] of subjects) {
        yield savedPart({ tenant, subject, compatibility });
        for (const schema of versions) yield savedPart({ tenant, schema });
        for (const upcaster of upcasters.values()) yield savedPart({ tenant, upcaster });
      }
  }

  load(part: Buffer): void {
    const saved = JSON.parse(part.toString()) as { readonly position: Position } | SavedRow;
    if ('position' in saved) this.standAt(saved.position);
    else if ('schema' in saved) this.#add(saved.tenant, saved.schema);
    else if ('upcaster' in saved) this.#setUpcaster(saved.tenant, saved.upcaster);
    else if ('subject' in saved)
      this.#subject(saved.tenant, saved.subject).compatibility = saved.compatibility;
    else this.#enforcements.set(saved.tenant, saved.enforcement);
  }

  #add(tenant: string, schema: SchemaVersion): void {
    const { versions } = this.#subject(tenant, schema.subject);
    if (schema.version <= versions.length) return;
    versions.push(schema);
    this.#schemasOf(tenant).bytes += Buffer.byteLength(schema.text);
  }

  #setUpcaster(tenant: string, upcaster: SchemaUpcaster): void {
    this.#removeUpcaster(tenant, upcaster.subject, upcaster.fromVersion);
    this.#subject(tenant, upcaster.subject).upcasters.set(upcaster.fromVersion, upcaster);
    this.#schemasOf(tenant).bytes += upcasterBytes(upcaster);
  }

  #removeUpcaster(tenant: string, subject: string, fromVersion: number): void {
    const { upcasters } = this.#subject(tenant, subject);
    const known = upcasters.get(fromVersion);
    if (known === undefined) return;
    upcasters.delete(fromVersion);
    this.#schemasOf(tenant).bytes -= upcasterBytes(known);
  }

  #schemasOf(tenant: string): TenantSchemas {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const fresh = { subjects: new Map<string, Subject>(), bytes: 0 };
    this.#tenants.set(tenant, fresh);
    return fresh;
  }

  #subject(tenant: string, name: string): Subject {
    const { subjects } = this.#schemasOf(tenant);
    const known = subjects.get(name);
    if (known !== undefined) return known;
    const fresh = { compatibility: COMPATIBILITY_DEFAULT, versions: [], upcasters: new Map() };
    subjects.set(name, fresh);
    return fresh;
  }

  /** What the tenant does about payloads that do not fit. */
  enforcement(tenant: string): SchemaEnforcement {
    return this.#enforcements.get(tenant) ?? 'permissive';
  }

  /** The subjects of a tenant by name, those without a version too. */
  subjects(tenant: string): ReadonlyMap<string, SchemaSubject> {
    return this.#tenants.get(tenant)?.subjects ?? new Map();
  }

  /** The newest version of a subject; null without one. */
  latest(tenant: string, subject: string): SchemaVersion | null {
    return this.#tenants.get(tenant)?.subjects.get(subject)?.versions.at(-1) ?? null;
  }

  /** One subject of a tenant; null when nothing is known of it. */
  subject(tenant: string, name: string): SchemaSubject | null {
    return this.#tenants.get(tenant)?.subjects.get(name) ?? null;
  }

  /** Bytes of all schemas and upcasters of a tenant. */
  bytes(tenant: string): number {
    return this.#tenants.get(tenant)?.bytes ?? 0;
  }

  /** The number of subjects of a tenant that have a schema. */
  schemaCount(tenant: string): number {
    return [...this.subjects(tenant).values()].filter(({ versions }) => versions.length > 0).length;
  }
}

function savedPart(row: SavedRow | { readonly position: Position }): Buffer {
  return Buffer.from(JSON.stringify(row));
}

function versionOf(
  { id, subject, version, description, tags }: SchemaRegistered,
  rest: Pick<SchemaVersion, 'text' | 'createdAt' | 'position' | 'compatibility'>,
): SchemaVersion {
  return { id, subject, version, description, tags, ...rest };
}

function upcasterOf(
  set: SchemaUpcasterSet,
  { event, createdAt }: { readonly event: FrameEvent; readonly createdAt: Micros },
): SchemaUpcaster {
  const mappings = rawMembers(event.payload)?.get('mappings');
  const work =
    set.function === undefined
      ? { mappings: must(mappings, 'the text of the mappings') }
      : { function: set.function };
  return {
    subject: set.subject,
    fromVersion: set.from_version,
    toVersion: set.to_version,
    description: set.description,
    work,
    createdAt,
  };
}

/** Bytes that an upcaster counts for. */
export function upcasterBytes({ work }: Pick<SchemaUpcaster, 'work'>): number {
  return Buffer.byteLength('mappings' in work ? work.mappings : work.function);
}
