import type { Access, RunPlan, SkipReason } from '../history/match-rows.ts';
import type { QueryBudget } from './query-budget.ts';

const WHY: Readonly<Record<Access, string>> = {
  entity_index: 'the entity is named, and each block knows its rows',
  time_range: 'blocks in time order are cut at the bounds of time',
  type_column: 'the column of types is scanned',
  every_row: 'nothing narrows it down inside a block',
};

/** What a query did: which way was taken through which blocks, and what it cost. A block is a file of the history, or a part of it that is still in memory. */
export class Explanation {
  readonly #searched = new Map<Access, number>();
  readonly #skipped = new Map<SkipReason, number>();
  #blocks = 0;

  /** Notes how a block is searched, or why it is not. */
  note(plan: RunPlan): void {
    this.#blocks++;
    if (plan.kind === 'skipped') count(this.#skipped, plan.reason);
    else count(this.#searched, plan.access);
  }

  /** Notes runs that an index over all of them has ruled out before they were looked at. */
  noteIndexed(blocks: number): void {
    if (blocks === 0) return;
    this.#blocks += blocks;
    count(this.#skipped, 'entity', blocks);
  }

  /** The `explain` member of an answer. */
  shown(budget: QueryBudget): object {
    const searched = [...this.#searched.values()].reduce((sum, blocks) => sum + blocks, 0);
    const [access] = [...this.#searched].toSorted((a, b) => b[1] - a[1])[0] ?? ['none'];
    return {
      plan: access,
      why: access === 'none' ? 'no block can hold what is asked for' : WHY[access],
      blocks: this.#blocks,
      blocks_searched: searched,
      blocks_by_access: Object.fromEntries(this.#searched),
      blocks_skipped: Object.fromEntries(this.#skipped),
      rows_scanned: budget.rowsScanned - budget.payloadsRead,
      payloads_read: budget.payloadsRead,
      rows_sorted: budget.rowsSorted,
      elapsed_ms: Math.round(budget.elapsedMs * 1000) / 1000,
      budget: { rows_max: budget.limits.rowsMax, ms_max: budget.limits.msMax },
    };
  }
}

function count<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
