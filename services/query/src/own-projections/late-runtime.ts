import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { ProjectionRuntime, StatesWanted } from '../projections/projection-runtime.ts';

/**
 * A runtime that is opened when it first gets definitions: before that the secret is missing with which the log is read. Until then it knows no projection, and what is
 * asked of one is answered `starting`.
 */
export class LateRuntime implements ProjectionRuntime {
  readonly #open: () => ProjectionRuntime;
  #runtime: ProjectionRuntime | null = null;
  #isClosed = false;

  constructor(open: () => ProjectionRuntime) {
    this.#open = open;
  }

  reconcile(definitions: readonly ProjectionDefinition[]): void {
    if (this.#isClosed) return;
    this.#runtime ??= this.#open();
    this.#runtime.reconcile(definitions);
  }

  status(tenant: string, name: string) {
    return this.#runtime?.status(tenant, name) ?? null;
  }

  read(tenant: string, name: string, key: string) {
    return this.#opened.read(tenant, name, key);
  }

  page(tenant: string, name: string, wanted: StatesWanted) {
    return this.#opened.page(tenant, name, wanted);
  }

  keys(tenant: string, name: string, wanted: StatesWanted) {
    return this.#opened.keys(tenant, name, wanted);
  }

  count(tenant: string, name: string) {
    return this.#opened.count(tenant, name);
  }

  waitFor(...wait: [tenant: string, name: string, position: Position, signal: AbortSignal]) {
    return this.#opened.waitFor(...wait);
  }

  parked(tenant: string, name: string, page: { readonly limit: number; readonly offset: number }) {
    return this.#opened.parked(tenant, name, page);
  }

  skipped(tenant: string, name: string, limit: number) {
    return this.#opened.skipped(tenant, name, limit);
  }

  async retryParked(tenant: string, name: string, entity: string | null) {
    return await this.#opened.retryParked(tenant, name, entity);
  }

  async forget(tenant: string, name: string) {
    await this.#runtime?.forget(tenant, name);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#runtime?.close();
  }

  get #opened(): ProjectionRuntime {
    if (this.#runtime !== null) return this.#runtime;
    throw problem('starting', 'The projections are not carried out yet. Try again shortly.');
  }
}
