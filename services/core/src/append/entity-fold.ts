/**
 * The fold of the log into (tenant, entity) -> version and newest position, at the watermark. System events have entities of their own:
 * a client's entity can never collide with one of the store's.
 */
import { type Position, type Version, VERSION_ZERO } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import type { EntityHead } from './append-port.ts';
import type { EntitySpace, EntityState } from './commit-builder.ts';

interface MutableHead {
  version: Version;
  lastPosition: Position;
}

class TenantEntities {
  readonly heads = new Map<string, MutableHead>();
  eventCount = 0;
}

/** One tenant of one space in a checkpoint. */
interface SavedTenant {
  readonly space: EntitySpace;
  readonly tenant: string;
  readonly eventCount: number;
  readonly types: readonly (readonly [string, number])[];
  readonly heads: readonly (readonly [string, Version, Position])[];
}

export class EntityFold implements EntityState, CheckpointSection {
  readonly sectionName = 'entities-ts/1';
  readonly #spaces: Record<EntitySpace, Map<string, TenantEntities>> = {
    events: new Map(),
    system: new Map(),
  };
  #typeCounts = new Map<string, Map<string, number>>();
  #eventCount = 0;

  /** Folds one durable frame. Frames come in position order. */
  apply(frame: Frame): void {
    const tenant = this.#tenant(frame.isSystem ? 'system' : 'events', frame.tenant);
    for (const event of frame.events()) {
      const entity = event.entity;
      const head = tenant.heads.get(entity);
      if (head === undefined)
        tenant.heads.set(entity, { version: event.version, lastPosition: event.position });
      else {
        head.version = event.version;
        head.lastPosition = event.position;
      }
    }
    tenant.eventCount += frame.eventCount;
    if (!frame.isSystem) this.#countTypes(frame);
  }

  #countTypes(frame: Frame): void {
    this.#eventCount += frame.eventCount;
    let counts = this.#typeCounts.get(frame.tenant);
    if (counts === undefined) {
      counts = new Map();
      this.#typeCounts.set(frame.tenant, counts);
    }
    for (const event of frame.events()) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
  }

  /** All at once, for counts do not stand being folded twice; this is the slower path. */
  save(): Buffer[] {
    const saved: Buffer[] = [Buffer.from('[]')];
    for (const space of ['events', 'system'] as const)
      for (const [tenant, { heads, eventCount }] of this.#spaces[space])
        saved.push(this.#saved({ space, tenant, eventCount }, heads));
    return saved;
  }

  #saved(
    what: Pick<SavedTenant, 'space' | 'tenant' | 'eventCount'>,
    heads: ReadonlyMap<string, EntityHead>,
  ): Buffer {
    const counts = what.space === 'events' ? this.#typeCounts.get(what.tenant) : undefined;
    const saved: SavedTenant = {
      ...what,
      types: [...(counts ?? [])],
      heads: [...heads].map(([entity, head]) => [entity, head.version, head.lastPosition]),
    };
    return Buffer.from(JSON.stringify([saved]));
  }

  load(part: Buffer): void {
    for (const saved of JSON.parse(part.toString()) as SavedTenant[]) {
      const tenant = this.#tenant(saved.space, saved.tenant);
      tenant.eventCount = saved.eventCount;
      for (const [entity, version, lastPosition] of saved.heads)
        tenant.heads.set(entity, { version, lastPosition });
      if (saved.space === 'system') continue;
      this.#typeCounts.set(saved.tenant, new Map(saved.types));
      this.#eventCount += saved.eventCount;
    }
  }

  #tenant(space: EntitySpace, tenant: string): TenantEntities {
    const known = this.#spaces[space].get(tenant);
    if (known !== undefined) return known;
    const fresh = new TenantEntities();
    this.#spaces[space].set(tenant, fresh);
    return fresh;
  }

  /** The durable head of an entity in a space; null when it has no events. */
  head(space: EntitySpace, tenant: string, entity: string): EntityHead | null {
    return this.#spaces[space].get(tenant)?.heads.get(entity) ?? null;
  }

  entityHead(tenant: string, entity: string): EntityHead | null {
    return this.head('events', tenant, entity);
  }

  /** The version of a client's entity; 0 when it has no events. */
  version(tenant: string, entity: string): Version {
    return this.entityHead(tenant, entity)?.version ?? VERSION_ZERO;
  }

  entityCount(tenant: string): number {
    return this.#spaces.events.get(tenant)?.heads.size ?? 0;
  }

  eventCount(tenant: string): number {
    return this.#spaces.events.get(tenant)?.eventCount ?? 0;
  }

  /** The number of event types of one tenant. */
  eventTypeCount(tenant: string): number {
    return this.#typeCounts.get(tenant)?.size ?? 0;
  }

  /** The number of clients' events of all tenants. */
  get totalEventCount(): number {
    return this.#eventCount;
  }

  /** The number of clients' entities of all tenants. */
  get totalEntityCount(): number {
    let count = 0;
    for (const tenant of this.#spaces.events.values()) count += tenant.heads.size;
    return count;
  }
}
