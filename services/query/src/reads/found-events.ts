/**
 * The events that a search found, as rows of runs, and how they are brought into the order of answers: by timestamp, then version, then position
 * (compareEvents of the shared event query says the same; `desc` is the exact reverse).
 *
 * Events lie in position order, which is nearly this order: imports bring older ones. So runs that overlap in time make a cluster, and clusters follow one another.
 * A page touches only the clusters it lies in; the others are only counted. A cluster of one run whose rows stand in time order is cut, and only events of equal
 * timestamp are sorted among each other. Of any other only the rows that can be on the page are kept (best-rows.ts), sorted in slices and merged while the answer is written.
 *
 * Memory: four bytes a row of the run looked at, and for a page without a limit over runs that overlap the rows that `querySortedRowsMax` allows.
 */
import { must } from '@allsource/shared/lang';
import type { QueryOrder } from '@allsource/shared/protocol';
import type { EventRun } from '../history/event-run.ts';
import type { RowStretches } from '../history/event-history.ts';
import { plannedRows, type SearchedRun } from '../history/match-rows.ts';
import {
  type AnswerKey,
  isAscending,
  mergedRows,
  NO_ROWS,
  type Ordering,
  orderedRows,
  partBehind,
} from './answer-order.ts';
import { BestRows } from './best-rows.ts';

/** Which rows of a cluster are asked for. */
export interface AskedRows extends Ordering {
  /** Only what comes behind it; null: all. */
  readonly after: AnswerKey | null;
  /** How many will be read at most. */
  readonly wanted: number;
}

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
    return order === 'asc' ? clusters : clusters.toReversed();
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

  /** The rows behind the cursor in the order of answers, some at a time; at least the first `wanted` of them. */
  *rows(asked: AskedRows): Generator<RowStretches> {
    const { order, budget, after, wanted } = asked;
    const [only] = this.runs;
    if (only !== undefined && this.runs.length === 1) {
      const rows = only.rows ?? plannedRows(only.run, only.plan);
      if (only.run.isTimeOrdered || isAscending(only.run.source.timestamps, rows)) {
        yield* orderedRows(partBehind({ run: only.run, rows, isOrdered: true }, asked), asked);
        return;
      }
    }
    const best = new BestRows(order, wanted);
    for (const { run, rows, plan } of byBound(this.runs, order)) {
      if (best.excludes(run)) break;
      const all = rows ?? plannedRows(run, plan);
      best.add(
        after === null
          ? { run, rows: all }
          : partBehind({ run, rows: all, isOrdered: false }, asked),
      );
      if (budget.isTurnOver) yield NO_ROWS;
    }
    yield* mergedRows(best.parts, asked);
  }
}

/** The runs whose first row in the order of answers may come earliest. */
function byBound(runs: readonly FoundRun[], order: QueryOrder): FoundRun[] {
  return runs.toSorted((a, b) =>
    order === 'asc'
      ? a.run.timestampMin - b.run.timestampMin
      : b.run.timestampMax - a.run.timestampMax,
  );
}

function clustersOf(runs: readonly FoundRun[]): Cluster[] {
  const byTime = [...runs].sort((a, b) => a.run.timestampMin - b.run.timestampMin);
  const clusters: Cluster[] = [];
  for (const found of byTime)
    if (clusters.at(-1)?.takes(found) !== true) clusters.push(new Cluster(found));
  return clusters;
}
