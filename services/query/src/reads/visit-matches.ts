import type { PayloadFilter } from '@allsource/shared/protocol';
import type { EventHistory, EventSelection, RunMatch } from '../history/event-history.ts';
import { payloadAt } from '../history/row-text.ts';
import type { EventRun } from '../history/event-run.ts';
import { countPlanned, plannedRows, planRun, type SearchedRun } from '../history/match-rows.ts';
import type { Explanation } from './explanation.ts';
import type { FoundRun } from './found-events.ts';
import type { QueryBudget } from './query-budget.ts';

/** Payloads read between two looks at the clock. */
const PAYLOADS_A_LOOK = 64;
/** Rows given to a visitor at once. */
const ROWS_A_VISIT = 4_096;

/** Which events are meant: what columns can tell, and what only the payload can. */
export interface Search {
  readonly selection: EventSelection;
  readonly payloadFilter: PayloadFilter | null;
}

export interface BudgetedSearch extends Search {
  readonly budget: QueryBudget;
}

/**
 * Visits what a search finds, run by run in position order, where nothing was found left out. Rows are only counted, but where a payload had to be read to know
 * them. The event loop turns in between; what is applied meanwhile is not among the rows.
 */
export async function visitFound(
  history: EventHistory,
  search: BudgetedSearch & { readonly explanation: Explanation },
  visit: (found: FoundRun) => void,
): Promise<void> {
  const { budget, explanation } = search;
  const runs = history.runs(search.selection);
  explanation.noteIndexed(history.runCount - runs.length);
  for (const run of runs) {
    const plan = planRun(run, search.selection);
    explanation.note(plan);
    if (plan.kind === 'searched') {
      budget.takeRows(plan.rowsScanned);
      const { payloadFilter } = search;
      const rows =
        payloadFilter === null ? null : await filteredRows({ run, plan, payloadFilter, budget });
      const count = rows?.length ?? countPlanned(run, plan);
      if (count > 0) visit({ run, plan, count, rows });
    }
    if (budget.isTurnOver) await budget.nextTurn();
  }
}

/** Visits the rows that a search means, in position order, with turns in between. */
export async function visitMatches(
  history: EventHistory,
  search: BudgetedSearch,
  visit: (match: RunMatch) => void,
): Promise<void> {
  const { budget, payloadFilter } = search;
  for (const run of history.runs(search.selection)) {
    const plan = planRun(run, search.selection);
    if (plan.kind === 'searched') {
      budget.takeRows(plan.rowsScanned);
      const isFiltered = payloadFilter !== null;
      const rows = isFiltered
        ? await filteredRows({ run, plan, payloadFilter, budget })
        : plannedRows(run, plan);
      await visitStretches({ run, rows }, budget, visit);
    }
    if (budget.isTurnOver) await budget.nextTurn();
  }
}

async function visitStretches(
  { run, rows }: RunMatch,
  budget: QueryBudget,
  visit: (match: RunMatch) => void,
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_A_VISIT) {
    const stretch = rows.subarray(start, start + ROWS_A_VISIT);
    budget.takeRows(stretch.length);
    visit({ run, rows: stretch });
    if (budget.isTurnOver) await budget.nextTurn();
  }
}

interface Filtering {
  readonly run: EventRun;
  readonly plan: SearchedRun;
  readonly payloadFilter: PayloadFilter;
  readonly budget: QueryBudget;
}

/** The rows whose payloads pass the filter. Payloads are read only of rows that pass everything else. */
async function filteredRows({ run, plan, payloadFilter, budget }: Filtering): Promise<Uint32Array> {
  const rows = plannedRows(run, plan);
  const passed = new Uint32Array(rows.length);
  let count = 0;
  for (const [i, row] of rows.entries()) {
    if (i % PAYLOADS_A_LOOK === 0) {
      budget.takePayloads(Math.min(PAYLOADS_A_LOOK, rows.length - i));
      if (budget.isTurnOver) await budget.nextTurn();
    }
    passed[count] = row;
    if (payloadFilter.matches(payloadAt(run.source, row))) count++;
  }
  return passed.slice(0, count);
}
