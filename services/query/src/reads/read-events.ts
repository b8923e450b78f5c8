import type { Position } from '@allsource/shared/model';
import type { EventQuery } from '@allsource/shared/protocol';
import type {
  EventHistory,
  EventSelection,
  RowStretches,
  RunMatch,
} from '../history/event-history.ts';
import { type AnswerKey, keyOf } from './answer-order.ts';
import { Explanation } from './explanation.ts';
import { type Cluster, FoundEvents } from './found-events.ts';
import type { QueryBudget } from './query-budget.ts';
import { type Search, visitFound } from './visit-matches.ts';

/** Which events are wanted, whose, and up to where in the log. */
export interface EventsWanted {
  readonly tenant: string;
  readonly query: EventQuery;
  /** Only what comes behind it in the order of answers; null: all. */
  readonly after: AnswerKey | null;
  readonly untilPosition: Position;
  readonly budget: QueryBudget;
}

/** Finds the events that a query means. The count is exact; pages of them are made as they are written. */
export async function readEvents(history: EventHistory, wanted: EventsWanted): Promise<EventPage> {
  const found = new FoundEvents();
  const explanation = new Explanation();
  await visitFound(history, { ...searchOf(wanted), budget: wanted.budget, explanation }, (match) =>
    found.add(match),
  );
  wanted.budget.stopClock();
  return new EventPage({ found, wanted, explanation });
}

function searchOf({ tenant, query, untilPosition }: EventsWanted): Search {
  const selection: EventSelection = {
    tenant,
    entity: query.entity ?? undefined,
    type: query.type ?? undefined,
    typePrefix: query.typePrefix ?? undefined,
    excludedTypePrefixes: query.excludedTypePrefixes,
    since: query.since ?? undefined,
    until: query.until ?? undefined,
    recordedUntil: query.recordedUntil ?? undefined,
    untilPosition,
  };
  return { selection, payloadFilter: query.payloadFilter };
}

interface EventPageOptions {
  readonly found: FoundEvents;
  readonly wanted: EventsWanted;
  readonly explanation: Explanation;
}

/** One page of events and what is known of all events meant. `rows` is gone through once; what the page has is known when it has ended. */
export class EventPage {
  /** All events meant, whatever the window and the cursor. */
  readonly totalCount: number;
  readonly explanation: Explanation;
  readonly #found: FoundEvents;
  readonly #wanted: EventsWanted;
  #count = 0;
  #hasMore = false;
  #last: AnswerKey | null = null;

  constructor({ found, wanted, explanation }: EventPageOptions) {
    this.totalCount = found.count;
    this.explanation = explanation;
    this.#found = found;
    this.#wanted = wanted;
  }

  /** What finding and writing the page may take at a time. */
  get budget(): QueryBudget {
    return this.#wanted.budget;
  }

  /** Events of the page. Known at its end, as the rest is. */
  get count(): number {
    return this.#count;
  }

  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** The last event of the page; null when there is none. */
  get last(): AnswerKey | null {
    return this.#last;
  }

  /** The rows of the page in the order of the query, some at a time; none where only a turn is due. Whoever goes through them lets others run in between. */
  *rows(): Generator<RowStretches> {
    const { query, after } = this.#wanted;
    const limit = query.limit ?? Number.POSITIVE_INFINITY;
    // Behind a cursor nobody has counted: only one more event says that there is one.
    const isCounted = after === null;
    if (limit > 0 || !isCounted) {
      for (const stretches of this.#rowsBehind()) {
        yield this.#takenOf(stretches, limit);
        if (this.#hasMore || (isCounted && this.#count === limit)) break;
      }
    }
    if (isCounted) this.#hasMore = query.offset + this.#count < this.totalCount;
  }

  /** What the page has room for. */
  #takenOf(stretches: RowStretches, limit: number): RowStretches {
    const taken: RunMatch[] = [];
    for (const { run, rows } of stretches) {
      const room = limit - this.#count;
      const own = rows.length <= room ? rows : rows.subarray(0, room);
      this.#hasMore = own.length < rows.length;
      this.#count += own.length;
      if (own.length > 0) {
        this.#last = keyOf(run, own.at(-1) as number);
        taken.push({ run, rows: own });
      }
      if (this.#hasMore) break;
    }
    return taken;
  }

  /** The rows behind the offset or the cursor, as many as the page needs. Never an empty stretch. */
  *#rowsBehind(): Generator<RowStretches> {
    const { query, after, budget } = this.#wanted;
    const { order } = query;
    let { offset } = query;
    for (const cluster of this.#found.clusters(order)) {
      if (this.#liesBefore(cluster)) continue;
      if (after === null && offset >= cluster.count) {
        offset -= cluster.count;
        continue;
      }
      // One more says whether there is more.
      const wanted = query.limit === null ? Number.POSITIVE_INFINITY : offset + query.limit + 1;
      for (const stretches of cluster.rows({ order, budget, after, wanted })) {
        if (offset === 0) {
          yield stretches;
          continue;
        }
        const behind: RunMatch[] = [];
        for (const { run, rows } of stretches) {
          const from = Math.min(offset, rows.length);
          offset -= from;
          if (from < rows.length) behind.push({ run, rows: rows.subarray(from) });
        }
        yield behind;
      }
    }
  }

  /** True when the cursor has passed the whole cluster. */
  #liesBefore({ timestampMin, timestampMax }: Cluster): boolean {
    const { query, after } = this.#wanted;
    if (after === null) return false;
    return query.order === 'asc' ? timestampMax < after.timestamp : timestampMin > after.timestamp;
  }
}
