import type { Database, Statement } from 'better-sqlite3';
import type { Projection } from './projection.ts';
import type { KeyedState } from './stored-state.ts';

/** A generation that becomes live. */
export interface GenerationSwitch {
  readonly generation: number;
  readonly tenant: string;
  readonly projections: readonly Projection[];
  /** What was folded into it since it was built. */
  readonly states: Iterable<KeyedState>;
}

/** Keys of a projection whose states are replaced, or removed. */
export interface KeyReplacement {
  readonly tenant: string;
  readonly projection: Projection;
  readonly removedKeys: readonly string[];
  readonly states: readonly KeyedState[];
}

type Status = 'building' | 'live' | 'dropped';

interface Row {
  readonly projection: number;
  readonly tenant: string;
  readonly generation: number;
}

/**
 * Which generation of the states is live, for each projection and tenant, and which ones are being built or to be removed. What it changes is part of
 * the caller's transaction, and is read by nobody until `reload` after the commit.
 */
export class Generations {
  readonly #put: Statement<[number, string, number, Status]>;
  readonly #rows: Statement<[Status], Row>;
  readonly #highest: Statement<[], { readonly generation: number | null }>;
  readonly #drop: Statement<[number]>;
  #live = new Map<string, number>();

  constructor(database: Database) {
    this.#put = database.prepare(
      `INSERT INTO generations (projection, tenant, generation, status) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET status = excluded.status`,
    );
    this.#rows = database.prepare(
      'SELECT projection, tenant, generation FROM generations WHERE status = ?',
    );
    this.#highest = database.prepare('SELECT max(generation) AS generation FROM generations');
    this.#drop = database.prepare(
      `UPDATE generations SET status = 'dropped' WHERE generation = ? AND status = 'building'`,
    );
    this.reload();
  }

  /** The generation that is read. */
  live(projection: Projection, tenant: string): number {
    return this.#live.get(`${projection.number} ${tenant}`) ?? 0;
  }

  /** True when a generation is the live one of a projection and tenant. */
  isLive(generation: number): boolean {
    return [...this.#live.values()].includes(generation);
  }

  /** The numbers of the generations that are being built. */
  building(): Set<number> {
    return new Set(this.#rows.all('building').map(({ generation }) => generation));
  }

  /** True when there are rows that nobody reads any more. */
  hasDropped(): boolean {
    return this.#rows.all('dropped').length > 0;
  }

  begin(tenant: string, projections: readonly Projection[]): number {
    const generation = (this.#highest.get()?.generation ?? 0) + 1;
    for (const { number } of projections) this.#put.run(number, tenant, generation, 'building');
    return generation;
  }

  makeLive({ generation, tenant, projections }: GenerationSwitch): void {
    for (const projection of projections) {
      this.#put.run(projection.number, tenant, this.live(projection, tenant), 'dropped');
      this.#put.run(projection.number, tenant, generation, 'live');
    }
  }

  drop(generation: number): void {
    this.#drop.run(generation);
  }

  /** Takes over what is committed. */
  reload(): void {
    const rows = this.#rows.all('live');
    this.#live = new Map(
      rows.map(({ projection, tenant, generation }) => [`${projection} ${tenant}`, generation]),
    );
  }
}
