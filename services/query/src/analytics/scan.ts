import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventHistory, EventSelection, RunMatch } from '../history/event-history.ts';

/**
 * Visits the columns of the events selected, run by run. The event loop turns between two runs, so that a scan of a long history does not
 * hold up other requests; what is applied meanwhile is not among the runs.
 */
export async function scan(
  history: EventHistory,
  selection: EventSelection,
  visit: (match: RunMatch) => void,
): Promise<void> {
  for (const match of history.matches(selection)) {
    visit(match);
    await nextTurn();
  }
}

/** Adds to the count of a key. */
export function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
