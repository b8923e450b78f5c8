/**
 * The catalog: for each tenant its entities, event types and totals. It is a fold of the history's rows, kept in memory: filled from the
 * blocks when the history opens and from each row as it is applied, in the same turn, so it is always true at the history's
 * applied position. It has no file of its own.
 */
import type { EventRun, RunSource } from '../history/event-run.ts';
import type { RunListener } from '../history/run-listener.ts';
import { type RunFold, TenantCatalog } from './tenant-catalog.ts';

export class Catalog implements RunListener {
  readonly #tenants = new Map<string, TenantCatalog>();
  /** How rows of the source that rows came from last are counted: by its tenant numbers. */
  #source: RunSource | null = null;
  #folds: RunFold[] = [];

  /** The catalog of a tenant; an empty one when it has no events. */
  tenant(tenant: string): TenantCatalog {
    return this.#tenants.get(tenant) ?? new TenantCatalog();
  }

  /** The tenants that have events. */
  tenants(): string[] {
    return [...this.#tenants.keys()];
  }

  rowsAdded(run: EventRun, fromRow: number): void {
    if (this.#source !== run.source) {
      this.#source = run.source;
      this.#folds = [];
    }
    const { entities, entityTenants } = run.source;
    for (let row = fromRow; row < run.rowCount; row++) {
      const tenant = entityTenants[entities[row] as number] as number;
      const fold = (this.#folds[tenant] ??= this.#foldOf(tenant, run));
      fold(row);
    }
  }

  #foldOf(tenant: number, run: EventRun): RunFold {
    const name = run.source.tenantNames[tenant] as string;
    const catalog = this.#tenants.get(name) ?? new TenantCatalog();
    this.#tenants.set(name, catalog);
    return catalog.fold(run);
  }

  emptied(): void {
    this.#tenants.clear();
    this.#source = null;
    this.#folds = [];
  }
}
