import type { Frame } from '@allsource/shared/protocol';
import type { FrameSummary } from './ingest-kernel.ts';

/** The counts of one tenant at the watermark. */
interface Counts {
  entities: number;
  events: number;
  readonly types: Map<string, number>;
}

/** Counts clients' entities, events and types by tenant, from summaries of frames; the store's own events are not counted. */
export class TenantCounts {
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

  /** All zero for a tenant without events. */
  of(tenant: string): Counts {
    return this.#tenants.get(tenant) ?? { entities: 0, events: 0, types: new Map() };
  }

  get total(): { readonly entities: number; readonly events: number } {
    return this.#total;
  }
}
