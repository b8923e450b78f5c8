import type { OperatorStates } from './operator-states.ts';

/** No group is named so: groups are JSON text. */
const KEY = 'watermark';

/**
 * The latest time that any event of a window operator has had. It moves with the events and never by the clock, so the same events close the same windows whenever
 * they are worked on, and a pipeline without events closes none.
 */
export function moveWatermark(states: OperatorStates, operator: number, instant: number): number {
  const known = states.get(operator, KEY) as number | undefined;
  if (known !== undefined && known >= instant) return known;
  states.set(operator, { key: KEY, value: instant, due: null });
  return instant;
}
