/**
 * The catalog: for each tenant its entities, event types and totals. It is a fold of the history's rows, kept in memory: filled from the
 * blocks when the history opens and from each row as it is applied, in the same turn, so it is always true at the history's
 * applied position. A checkpoint shortens the start (see catalog-checkpoints.ts).
 */
import { must } from '@allsource/shared/lang';
import type { EventRun, RunSource } from '../history/event-run.ts';
import type { RunListener } from '../history/run-listener.ts';
import { countedColumns, type SourceCounter, TenantCatalog } from './tenant-catalog.ts';

export class Catalog implements RunListener {
  readonly #tenants = new Map<string, TenantCatalog>();
  /** The source that rows came from last, and how its rows are counted: by its tenant numbers. */
  #source: RunSource | null = null;
  #counters: SourceCounter[] = [];

  /** The catalog of a tenant; an empty one when it has no events. */
  tenant(tenant: string): TenantCatalog {
    return this.#tenants.get(tenant) ?? new TenantCatalog(tenant);
  }

  /** The tenants that have events. */
  tenants(): string[] {
    return [...this.#tenants.keys()];
  }

  rowsAdded(run: EventRun, fromRow: number): void {
    if (this.#source !== run.source) {
      this.#source = run.source;
      this.#counters = [];
    }
    const columns = countedColumns(run.source);
    const { entityTenants, tenantNames } = run.source;
    if (tenantNames.length === 1) {
      this.#counterOf(0, run.source).noteRange(columns, { from: fromRow, to: run.rowCount });
      return;
    }
    for (let row = fromRow; row < run.rowCount; row++) {
      const tenant = entityTenants[columns.entities[row] as number] as number;
      this.#counterOf(tenant, run.source).note(row, columns);
    }
  }

  #counterOf(tenant: number, source: RunSource): SourceCounter {
    const known = this.#counters[tenant];
    if (known !== undefined) return known;
    const name = must(source.tenantNames[tenant], 'a tenant of the run');
    const counter = this.made(name).sourceCounter(source);
    this.#counters[tenant] = counter;
    return counter;
  }

  /** The catalog of a tenant that gets events, made if there is none. */
  made(tenant: string): TenantCatalog {
    const catalog = this.tenant(tenant);
    this.#tenants.set(tenant, catalog);
    return catalog;
  }

  emptied(): void {
    this.#tenants.clear();
    this.#source = null;
    this.#counters = [];
  }
}
