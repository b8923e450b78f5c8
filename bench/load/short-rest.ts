import { setImmediate as nextTurn } from 'node:timers/promises';

const REST_MS = 0.1;
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));

/**
 * Sleeps for a moment, then lets the event loop turn once. A timer would send what has come due in bursts, a millisecond late. Turning without rest keeps a processor busy, and where there are two, the
 * system puts the server behind it for milliseconds: core waited 360 ms of each second for a processor, 40 with these rests, and the p99 told of that (6 ms; 2.3 to 4.9).
 */
export async function shortRest(): Promise<void> {
  Atomics.wait(NEVER_WOKEN, 0, 0, REST_MS);
  await nextTurn();
}
