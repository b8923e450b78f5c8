/**
 * What one query may cost, and the turns it takes. Every search counts here what it looks at; past the budget it ends with `query_budget_exceeded` and the
 * numbers, so no question scans without bound. And no search holds the event loop: when its turn is over, it lets all others go
 * first. A search whose client has left ends at its next turn.
 *
 * The budget is for finding. Writing a found page has no limit of time: it goes as fast as the client reads, with bounded memory.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TURN_MS } from '@allsource/service-kit/turns';
import { problem } from '@allsource/shared/errors';
import type { ReadCall } from './read-call.ts';
import { LIMITS } from '@allsource/shared/limits';

export interface QueryLimits {
  /** Rows of columns that one query may look at. Setting ALLSOURCE_QUERY_ROWS_MAX. */
  readonly rowsMax: number;
  /** How long finding may take, turns of others included. Setting ALLSOURCE_QUERY_MS_MAX. */
  readonly msMax: number;
}

export const QUERY_LIMITS_DEFAULT: QueryLimits = {
  rowsMax: LIMITS.queryRowsMax,
  msMax: LIMITS.queryMsMax,
};

/** The budget of a call, which begins at this moment. */
export function budgetOf(
  call: Pick<ReadCall, 'response'>,
  limits: QueryLimits = QUERY_LIMITS_DEFAULT,
): QueryBudget {
  const { response } = call;
  return new QueryBudget({ limits, isAbandoned: () => response.destroyed });
}

/** A budget of the default limits that begins at this moment. */
export function defaultBudget(): QueryBudget {
  return new QueryBudget({ limits: QUERY_LIMITS_DEFAULT });
}

export interface QueryBudgetOptions {
  readonly limits: QueryLimits;
  /** True when nobody waits for the answer any more. */
  readonly isAbandoned?: () => boolean;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

export class QueryBudget {
  readonly limits: QueryLimits;
  readonly #isAbandoned: () => boolean;
  readonly #now: () => number;
  readonly #startedAt: number;
  #turnStartedAt: number;
  /** How long finding took, when it is done. */
  #foundMs: number | null = null;
  #rowsScanned = 0;
  #payloadsRead = 0;
  #rowsSorted = 0;
  #entities = 0;

  constructor({
    limits,
    isAbandoned = () => false,
    now = () => performance.now(),
  }: QueryBudgetOptions) {
    this.limits = limits;
    this.#isAbandoned = isAbandoned;
    this.#now = now;
    this.#startedAt = now();
    this.#turnStartedAt = this.#startedAt;
  }

  get rowsScanned(): number {
    return this.#rowsScanned;
  }

  get payloadsRead(): number {
    return this.#payloadsRead;
  }

  get rowsSorted(): number {
    return this.#rowsSorted;
  }

  get elapsedMs(): number {
    return this.#foundMs ?? this.#now() - this.#startedAt;
  }

  /** Says that all is found: from here on time is the reader's. Turns are taken as before. */
  stopClock(): void {
    this.#foundMs = this.elapsedMs;
  }

  /** Says that so many rows will be looked at. */
  takeRows(count: number): void {
    this.#rowsScanned += count;
    if (this.#rowsScanned > this.limits.rowsMax) throw this.#exceeded('rows');
  }

  /** Says that so many payloads were read; each is a row looked at too. */
  takePayloads(count: number): void {
    this.#payloadsRead += count;
    this.takeRows(count);
  }

  /** Says that so many rows are held in memory to be sorted. */
  takeSorted(count: number): void {
    this.#rowsSorted += count;
    if (this.#rowsSorted > LIMITS.querySortedRowsMax) throw this.#exceeded('sorted_rows');
  }

  /** Says that so many entities are held in memory to be compared. */
  takeEntities(count: number): void {
    this.#entities += count;
    if (this.#entities > LIMITS.comparedEntitiesMax) throw this.#exceeded('entities');
  }

  /** True when it is time to let others run. */
  get isTurnOver(): boolean {
    return this.#now() - this.#turnStartedAt > TURN_MS;
  }

  /** Lets others run. Throws when the time of the query is over or nobody waits for it. */
  async nextTurn(): Promise<void> {
    await nextTurn();
    this.#turnStartedAt = this.#now();
    if (this.elapsedMs > this.limits.msMax) throw this.#exceeded('time');
    if (this.#isAbandoned()) throw this.#exceeded('patience');
  }

  #exceeded(limit: 'rows' | 'sorted_rows' | 'entities' | 'time' | 'patience'): Error {
    const { rowsMax, msMax } = this.limits;
    const elapsedMs = Math.round(this.elapsedMs);
    const sentences = {
      rows: `It would look at more than ${rowsMax} rows.`,
      sorted_rows: `It would have to sort more than ${LIMITS.querySortedRowsMax} rows that do not stand in the order of time.`,
      entities: `It would compare more than ${LIMITS.comparedEntitiesMax} entities with each other.`,
      time: `It took more than ${msMax} ms and had looked at ${this.#rowsScanned} rows.`,
      patience: 'Its client left before it was answered.',
    };
    return problem(
      'query_budget_exceeded',
      `${sentences[limit]} Name an entity, an event type or a shorter time range (since, until); explain=true with limit=0 shows the plan of a smaller query.`,
      {
        limit,
        rows_scanned: this.#rowsScanned,
        rows_max: rowsMax,
        payloads_read: this.#payloadsRead,
        elapsed_ms: elapsedMs,
        ms_max: msMax,
      },
    );
  }
}
