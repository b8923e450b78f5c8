import { expect, test } from '@jest/globals';
import { BusyPoll } from '../../src/http/lane/busy-poll.ts';

const WINDOW_MS = 0.1;

/** A poll on a clock and an event loop that the test turns. */
function polled(windowMs = WINDOW_MS) {
  const turns: (() => void)[] = [];
  const soon: number[] = [];
  const clock = { ms: 100 };
  const machine = { isCrowded: false };
  const poll = new BusyPoll({
    windowMs,
    onSoon: (atMs) => soon.push(atMs),
    nowMs: () => clock.ms,
    isCrowded: () => machine.isCrowded,
    inNextTurn: (turn) => turns.push(turn),
  });
  /** Lets the loop turn until it would sleep; returns how often it turned. */
  const turnUntilSleep = (): number => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      clock.ms += WINDOW_MS / 4;
      count += 1;
      turn();
    }
    return count;
  };
  /** A request that comes `afterMs` after the last answer, and its answer. */
  const exchange = (afterMs: number): number => {
    clock.ms += afterMs;
    poll.received(clock.ms);
    poll.answered(clock.ms);
    return turnUntilSleep();
  };
  return { poll, clock, machine, turns, soon, turnUntilSleep, exchange };
}

test('polls for the window after an answer, once a request came soon after one', () => {
  const { exchange } = polled();
  expect(exchange(50)).toBe(0);
  expect(exchange(0.2)).toBe(4);
});

test('does not poll while others wait for the processor', () => {
  const { exchange, machine, soon } = polled();
  exchange(50);
  machine.isCrowded = true;
  expect(exchange(0.2)).toBe(0);
  machine.isCrowded = false;
  expect(exchange(0.2)).toBe(4);
  expect(soon).toHaveLength(2);
});

test('goes on from the latest answer, with one poll for all of them', () => {
  const { poll, clock, turns, exchange, turnUntilSleep } = polled();
  exchange(50);
  clock.ms += 0.05;
  poll.received(clock.ms);
  poll.answered(clock.ms);
  clock.ms += 0.05;
  poll.answered(clock.ms);
  expect(turns).toHaveLength(1);
  expect(turnUntilSleep()).toBe(4);
});

test('a client with pauses is polled for a few times only, until it sends quickly again', () => {
  const { exchange } = polled();
  exchange(50);
  exchange(0.1);
  const turnsOfPauses = Array.from({ length: 20 }, () => exchange(50));
  expect(turnsOfPauses.slice(0, 7).every((turns) => turns > 0)).toBe(true);
  expect(turnsOfPauses.slice(7).every((turns) => turns === 0)).toBe(true);
  expect(exchange(0.1)).toBeGreaterThan(0);
});

test('tells of the requests that came soon after an answer, and of no others', () => {
  const { exchange, clock, soon } = polled();
  exchange(50);
  expect(soon).toEqual([]);
  exchange(0.2);
  exchange(50);
  expect(soon).toEqual([100 + 50 + 0.2]);
  expect(clock.ms).toBeGreaterThan(200);
});

test('never polls with a window of 0', () => {
  const { exchange } = polled(0);
  expect([50, 0, 0.1, 0.1].map(exchange)).toEqual([0, 0, 0, 0]);
});
