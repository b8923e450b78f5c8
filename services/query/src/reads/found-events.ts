/**
 * The events that a search found, as rows of runs, and how they are brought into the order of answers: by timestamp, then version, then position
 * (compareEvents of the shared event query says the same; `desc` is the exact reverse).
 *
 * Events lie in position order, which is nearly this order: imports bring older ones. So runs that overlap in time make a cluster, and clusters follow one another.
 * A page touches only the clusters it lies in; the others are only counted. A cluster of one run whose rows stand in time order is cut, and only events of equal
 * timestamp are sorted among each other; any other is sorted in slices that are merged while the answer is written.
 *
 * Memory: four bytes a row of the clusters touched, and for what must be sorted the rows that `querySortedRowsMax` allows.
 */
import { must } from '@allsource/shared/lang';
import type { QueryOrder } from '@allsource/shared/protocol';
import type { EventRun } from '../history/event-run.ts';
import type { RunMatch } from '../history/event-history.ts';
import { plannedRows, type SearchedRun } from '../history/match-rows.ts';
import {
  type AnswerKey,
  isAscending,
  mergedRows,
  type Ordering,
  orderedRows,
  partBehind,
  type SortedPart,
} from './answer-order.ts';

/** What was found in one run. */
export interface FoundRun {
  readonly run: EventRun;
  readonly plan: SearchedRun;
  /** At least one. */
  readonly count: number;
  /** The rows where they are known already; null: the plan finds them again. */
  readonly rows: Uint32Array | null;
}

export class FoundEvents {
  readonly #runs: FoundRun[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get runCount(): number {
    return this.#runs.length;
  }

  /** Adds what was found in the next run, in position order. */
  add(found: FoundRun): void {
    this.#runs.push(found);
    this.#count += found.count;
  }

  /** The clusters in the order of answers. */
  clusters(order: QueryOrder): Cluster[] {
    const clusters = clustersOf(this.#runs);
    return order === 'asc' ? clusters : clusters.reverse();
  }
}

/** Runs that overlap in time. No event of another cluster lies between two of this one. */
export class Cluster {
  readonly runs: FoundRun[];
  #timestampMax: number;

  constructor(first: FoundRun) {
    this.runs = [first];
    this.#timestampMax = first.run.timestampMax;
  }

  /** Takes a run in that begins while this cluster lasts. */
  takes(found: FoundRun): boolean {
    if (found.run.timestampMin > this.#timestampMax) return false;
    this.runs.push(found);
    this.#timestampMax = Math.max(this.#timestampMax, found.run.timestampMax);
    return true;
  }

  get count(): number {
    return this.runs.reduce((sum, { count }) => sum + count, 0);
  }

  get timestampMin(): number {
    return must(this.runs[0], 'a cluster has a run').run.timestampMin;
  }

  get timestampMax(): number {
    return this.#timestampMax;
  }

  /** The rows in the order of answers, a stretch at a time. `after` spares what lies far before the cursor; the caller still looks at the rest. */
  async *rows(ordering: Ordering & { readonly after: AnswerKey | null }): AsyncGenerator<RunMatch> {
    const { order, budget, after } = ordering;
    const parts: SortedPart[] = [];
    for (const { run, rows, plan } of this.runs) {
      const all = rows ?? plannedRows(run, plan);
      const isOrdered = run.isTimeOrdered || isAscending(run.source.timestamps, all);
      const part = { run, rows: all, isOrdered };
      parts.push(after === null ? part : partBehind(part, after.timestamp, order));
      if (budget.isTurnOver) await budget.nextTurn();
    }
    const [only] = parts;
    if (only !== undefined && parts.length === 1 && only.isOrdered)
      yield* orderedRows(only, ordering);
    else yield* mergedRows(parts, ordering);
  }
}

function clustersOf(runs: readonly FoundRun[]): Cluster[] {
  const byTime = [...runs].sort((a, b) => a.run.timestampMin - b.run.timestampMin);
  const clusters: Cluster[] = [];
  for (const found of byTime)
    if (clusters.at(-1)?.takes(found) !== true) clusters.push(new Cluster(found));
  return clusters;
}
