import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Steps } from '@allsource/shared/lang';

/** How long the event loop is held by the steps between two waiting requests. */
const TURN_MS = 4;

/** Does all the steps, and lets others have their turn whenever some milliseconds have gone by. */
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
