import { type Position, POSITION_ZERO, position } from '@allsource/shared/model';
import { type LoggedSystemEvent, SystemFold, TypeFilter } from '@allsource/shared/protocol';
import type { LogFold } from '../append/journal.ts';

/** A named reader with durable progress. */
export interface Consumer {
  readonly tenant: string;
  readonly id: string;
  readonly filter: TypeFilter;
  /** The highest acknowledged position; 0 when none was. */
  readonly cursor: Position;
}

type SavedConsumer = readonly [
  tenant: string,
  id: string,
  patterns: readonly string[],
  cursor: Position,
];

/** The consumer that an id stands for before anything was written about it: no filters, no progress. */
export function unknownConsumer(tenant: string, id: string): Consumer {
  return { tenant, id, filter: new TypeFilter([]), cursor: POSITION_ZERO };
}

/**
 * The fold of the consumers of all tenants. A registration sets the filters and leaves the cursor; an acknowledgement raises the cursor and
 * never lowers it, so acknowledgements may reach the log in any order.
 */
export class ConsumerFold extends SystemFold implements LogFold {
  readonly sectionName = 'consumers/1';
  /** By consumer id, then by tenant: a stream with an empty bearer asks which tenants have an id. */
  readonly #consumers = new Map<string, Map<string, Consumer>>();

  protected override fold({ parsed, frame: { tenant } }: LoggedSystemEvent): void {
    if (parsed.type === '_system.consumer.registered') {
      const { consumer_id: id, event_type_filters: filters } = parsed.payload;
      this.#put({ ...this.#current(tenant, id), filter: new TypeFilter(filters) });
    } else if (parsed.type === '_system.consumer.acknowledged') {
      const current = this.#current(tenant, parsed.payload.consumer_id);
      const cursor = position(Math.max(current.cursor, parsed.payload.position));
      this.#put({ ...current, cursor });
    }
  }

  save(): Buffer[] {
    const saved: SavedConsumer[] = [...this.#consumers.values()].flatMap((byTenant) =>
      [...byTenant.values()].map(({ tenant, id, filter, cursor }) => [
        tenant,
        id,
        filter.patterns,
        cursor,
      ]),
    );
    return [Buffer.from(JSON.stringify({ position: this.appliedPosition, consumers: saved }))];
  }

  load(part: Buffer): void {
    const saved = JSON.parse(part.toString()) as { position: Position; consumers: SavedConsumer[] };
    this.standAt(saved.position);
    for (const [tenant, id, patterns, cursor] of saved.consumers)
      this.#put({ tenant, id, filter: new TypeFilter(patterns), cursor });
  }

  #current(tenant: string, id: string): Consumer {
    return this.find(tenant, id) ?? unknownConsumer(tenant, id);
  }

  #put(consumer: Consumer): void {
    const byTenant = this.#consumers.get(consumer.id) ?? new Map<string, Consumer>();
    byTenant.set(consumer.tenant, consumer);
    this.#consumers.set(consumer.id, byTenant);
  }

  /** The consumer of a tenant, or null when nothing was ever written about it. */
  find(tenant: string, id: string): Consumer | null {
    return this.#consumers.get(id)?.get(tenant) ?? null;
  }

  /** The tenants that have a consumer of this id. */
  tenantsOf(id: string): string[] {
    return [...(this.#consumers.get(id)?.keys() ?? [])];
  }
}
