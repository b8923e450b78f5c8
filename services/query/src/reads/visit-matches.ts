import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PayloadFilter } from '@allsource/shared/protocol';
import type { EventHistory, EventSelection, RunMatch } from '../history/event-history.ts';

/** Rows of columns scanned before others may run: some milliseconds. */
const ROWS_A_TURN = 262_144;
/** Payloads read before others may run: some milliseconds too. */
const PAYLOADS_A_TURN = 2_048;

/** Which events are meant: what columns can tell, and what only the payload can. */
export interface Search {
  readonly selection: EventSelection;
  readonly payloadFilter: PayloadFilter | null;
}

/**
 * Visits the rows that a search means, in position order. The event loop turns in between, so a long search does not hold up other requests;
 * what is applied meanwhile is not among the rows.
 */
export async function visitMatches(
  history: EventHistory,
  { selection, payloadFilter }: Search,
  visit: (match: RunMatch) => void,
): Promise<void> {
  let scanned = 0;
  for (const match of history.matches(selection)) {
    if (payloadFilter === null) visit(match);
    else await visitFiltered(match, payloadFilter, visit);
    scanned += match.run.rowCount;
    if (scanned < ROWS_A_TURN) continue;
    scanned = 0;
    await nextTurn();
  }
}

async function visitFiltered(
  { run, rows }: RunMatch,
  filter: PayloadFilter,
  visit: (match: RunMatch) => void,
): Promise<void> {
  for (let start = 0; start < rows.length; start += PAYLOADS_A_TURN) {
    if (start > 0) await nextTurn();
    const passed = rows
      .subarray(start, start + PAYLOADS_A_TURN)
      .filter((row) => filter.matches(run.source.payload(row)));
    if (passed.length > 0) visit({ run, rows: passed });
  }
}
