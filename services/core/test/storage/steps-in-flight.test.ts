import { describe, expect, test } from '@jest/globals';
import { type Deferred, deferred } from '@allsource/shared/lang';
import { StepsInFlight } from '../../src/storage/steps-in-flight.ts';

/** Begun steps, ended by hand. */
function begun(count: number): Deferred<void>[] {
  return Array.from({ length: count }, () => deferred<void>());
}

async function isWaiting(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => false),
    new Promise<boolean>((resolve) => setImmediate(resolve, true)),
  ]);
}

describe('steps in flight', () => {
  test('has room for the next one when the oldest ends', async () => {
    const [first, second, third] = begun(3) as [Deferred<void>, Deferred<void>, Deferred<void>];
    const steps = new StepsInFlight(2);
    expect(await isWaiting(steps.add(first.promise))).toBe(false);
    const added = steps.add(second.promise);
    expect(await isWaiting(added)).toBe(true);
    first.resolve();
    await added;
    const last = steps.add(third.promise);
    second.resolve();
    await last;
    const ended = steps.end();
    expect(await isWaiting(ended)).toBe(true);
    third.resolve();
    await ended;
  });

  test('tells of a step that failed while nobody waited for it', async () => {
    const [first] = begun(1) as [Deferred<void>];
    const steps = new StepsInFlight(3);
    await steps.add(first.promise);
    first.reject(new RangeError('no space'));
    // A rejection that nobody handles would end the process in this turn.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(steps.end()).rejects.toThrow('no space');
  });

  test('waits for the others when one has failed', async () => {
    const [first, second] = begun(2) as [Deferred<void>, Deferred<void>];
    const steps = new StepsInFlight(2);
    await steps.add(first.promise);
    first.reject(new RangeError('no space'));
    await expect(steps.add(second.promise)).rejects.toThrow('no space');
    const settled = steps.settled();
    expect(await isWaiting(settled)).toBe(true);
    second.resolve();
    await settled;
  });
});
