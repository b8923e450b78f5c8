import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from '@allsource/shared/lang';
import { TURN_MS } from '../turns/index.ts';

/** Does all the steps, and lets others have their turn after each turn's time. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  let turnEndsAt = performance.now() + TURN_MS;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < turnEndsAt) continue;
    await nextTurn();
    turnEndsAt = performance.now() + TURN_MS;
  }
}
