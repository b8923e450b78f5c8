/**
 * Events in the order of the log, a run at a time: nothing is sorted and nothing is held, however many there are. It is the order of exports: an answer that
 * was cut goes on behind the last position that came through.
 */
import { position } from '@allsource/shared/model';
import type { PayloadFilter } from '@allsource/shared/protocol';
import type {
  EventHistory,
  EventSelection,
  RowStretches,
  RunMatch,
} from '../history/event-history.ts';
import { payloadAt } from '../history/row-text.ts';
import type { EventRun } from '../history/event-run.ts';
import { countPlanned, plannedRows, planRun } from '../history/match-rows.ts';
import type { QueryBudget } from '../reads/query-budget.ts';

const ROWS_A_STRETCH = 4_096;
const PAYLOADS_A_LOOK = 64;

export interface LogOrderWanted {
  readonly selection: EventSelection & { readonly untilPosition: number };
  readonly payloadFilter: PayloadFilter | null;
  /** The first position that is meant. */
  readonly fromPosition: number;
  readonly offset: number;
  /** Null: all. */
  readonly limit: number | null;
  readonly budget: QueryBudget;
}

/** How many events are meant, without the window; null when only their payloads tell. */
export async function countInLogOrder(
  history: EventHistory,
  { selection, payloadFilter, fromPosition, budget }: LogOrderWanted,
): Promise<number | null> {
  if (payloadFilter !== null) return null;
  let count = 0;
  for (const run of history.runs(selection)) {
    if (run.lastPosition < fromPosition) continue;
    const plan = planRun(run, selection);
    if (plan.kind === 'searched') {
      count +=
        run.firstPosition >= fromPosition
          ? countPlanned(run, plan)
          : rowsFrom(run, plannedRows(run, plan), fromPosition).length;
    }
    if (budget.isTurnOver) await budget.nextTurn();
  }
  return count;
}

/** The rows that are meant, one stretch at a time. */
export async function* rowsInLogOrder(
  history: EventHistory,
  wanted: LogOrderWanted,
): AsyncGenerator<RowStretches> {
  let { offset } = wanted;
  let left = wanted.limit ?? Number.POSITIVE_INFINITY;
  for await (const { run, rows } of stretches(history, wanted)) {
    if (left === 0) return;
    const passedOver = Math.min(offset, rows.length);
    offset -= passedOver;
    const taken = rows.subarray(passedOver, Math.min(rows.length, passedOver + left));
    left -= taken.length;
    if (taken.length > 0) yield [{ run, rows: taken }];
  }
}

async function* stretches(
  history: EventHistory,
  { selection, payloadFilter, fromPosition, budget }: LogOrderWanted,
): AsyncGenerator<RunMatch> {
  // The runs are asked for anew after each one: while a long answer is written, blocks are merged into others.
  for (let next = fromPosition; next <= selection.untilPosition; ) {
    const [run] = history.runs({ ...selection, afterPosition: position(Math.max(next - 1, 0)) });
    if (run === undefined) return;
    const plan = planRun(run, selection);
    const rows = plan.kind === 'searched' ? rowsFrom(run, plannedRows(run, plan), next) : [];
    for (let start = 0; start < rows.length; start += ROWS_A_STRETCH) {
      const stretch = rows.slice(start, start + ROWS_A_STRETCH) as Uint32Array;
      if (payloadFilter === null) yield { run, rows: stretch };
      else yield { run, rows: await filtered(run, stretch, { payloadFilter, budget }) };
    }
    if (budget.isTurnOver) await budget.nextTurn();
    next = run.lastPosition + 1;
  }
}

/** The rows at or behind a position. */
function rowsFrom(run: EventRun, rows: Uint32Array, from: number): Uint32Array {
  if (run.firstPosition >= from) return rows;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (run.positionAt(rows[middle] as number) < from) low = middle + 1;
    else high = middle;
  }
  return rows.subarray(low);
}

// oxlint-disable-next-line eslint/max-params -- rows of a run, and how they are filtered.
async function filtered(
  run: EventRun,
  rows: Uint32Array,
  {
    payloadFilter,
    budget,
  }: { readonly payloadFilter: PayloadFilter; readonly budget: QueryBudget },
): Promise<Uint32Array> {
  const passed = new Uint32Array(rows.length);
  let count = 0;
  for (const [i, row] of rows.entries()) {
    if (i % PAYLOADS_A_LOOK === 0 && budget.isTurnOver) await budget.nextTurn();
    passed[count] = row;
    if (payloadFilter.matches(payloadAt(run.source, row))) count++;
  }
  return passed.subarray(0, count);
}
