import type { Frame } from '@allsource/shared/protocol';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import type { FrameSummary } from './ingest-kernel.ts';

/** The counts of one tenant at the watermark. */
interface Counts {
  entities: number;
  events: number;
  readonly types: Map<string, number>;
}

interface SavedCounts {
  readonly tenant: string;
  readonly entities: number;
  readonly events: number;
  readonly types: readonly (readonly [string, number])[];
}

/** Counts clients' entities, events and types by tenant, from summaries of frames; the store's own events are not counted. */
export class TenantCounts implements CheckpointSection {
  readonly sectionName = 'counts/1';
  readonly #tenants = new Map<string, Counts>();
  readonly #total = { entities: 0, events: 0 };

  add(frame: Frame, summary: FrameSummary): void {
    if (frame.isSystem) return;
    const { eventCount, tenant } = frame;
    const counts = this.of(tenant);
    this.#tenants.set(tenant, counts);
    counts.entities += summary.newEntities;
    counts.events += eventCount;
    this.#total.entities += summary.newEntities;
    this.#total.events += eventCount;
    for (const [type, count] of summary.types)
      counts.types.set(type, (counts.types.get(type) ?? 0) + count);
  }

  /** Counts do not stand being folded twice, so they are taken all at once. */
  save(): Buffer[] {
    const saved: SavedCounts[] = [...this.#tenants].map(
      ([tenant, { entities, events, types }]) => ({
        tenant,
        entities,
        events,
        types: [...types],
      }),
    );
    return [Buffer.from(JSON.stringify(saved))];
  }

  load(part: Buffer): void {
    for (const { tenant, entities, events, types } of JSON.parse(
      part.toString(),
    ) as SavedCounts[]) {
      this.#tenants.set(tenant, { entities, events, types: new Map(types) });
      this.#total.entities += entities;
      this.#total.events += events;
    }
  }

  /** All zero for a tenant without events. */
  of(tenant: string): Counts {
    return this.#tenants.get(tenant) ?? { entities: 0, events: 0, types: new Map() };
  }

  get total(): { readonly entities: number; readonly events: number } {
    return this.#total;
  }
}
