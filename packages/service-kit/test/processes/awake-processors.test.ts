/** The wish that processors stay awake: what is written where, how long it is held, and what a refusal does. With a file in the place of the system's, and with the system's where it may be opened. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { accessRefusal, hasOpen, reportNotTested } from '@allsource/testkit';
import { AwakeProcessors } from '../../src/processes/awake-processors.ts';

const SYSTEM_DEVICE = '/dev/cpu_dma_latency';
const BEFORE = 'before';

let folder: string;
let device: string;
let now: number;
let refusals: Error[];
let awake: AwakeProcessors;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'awake-'));
  device = join(folder, 'device');
  writeFileSync(device, BEFORE);
  now = 5_000;
  refusals = [];
  awake = awakeBy(device);
});

afterEach(() => {
  awake.close();
  rmSync(folder, { recursive: true });
});

function awakeBy(path: string): AwakeProcessors {
  return new AwakeProcessors({
    device: path,
    nowMs: () => now,
    onRefused: (error) => refusals.push(error),
  });
}

describe('awake processors', () => {
  it('are wished for when they are needed, and not before', () => {
    expect(hasOpen(device)).toBe(false);
    awake.need(now);
    expect(hasOpen(device)).toBe(true);
    expect(readFileSync(device).subarray(0, 4)).toEqual(Buffer.alloc(4));
    awake.close();
    expect(hasOpen(device)).toBe(false);
  });

  it('may sleep again a fifth of a second after the last need, and are wished for anew', async () => {
    awake.need(now);
    now += 150;
    awake.need(now);
    now += 199;
    await sleep(150);
    expect(hasOpen(device)).toBe(true);
    now += 1;
    while (hasOpen(device)) await sleep(10);
    awake.need(now);
    expect(hasOpen(device)).toBe(true);
    expect(refusals).toEqual([]);
  });

  it('that the system refuses are told of once and not wished for again', () => {
    const refused = awakeBy(join(folder, 'missing', 'device'));
    refused.need(now);
    refused.need(now);
    expect(refusals.map((error) => error.message)).toEqual([expect.stringContaining('ENOENT')]);
    refused.close();
  });
});

const refusal = accessRefusal(SYSTEM_DEVICE);
if (refusal !== null)
  reportNotTested('the wish that processors stay awake, on this system', refusal);

(refusal === null ? describe : describe.skip)('the wish of the system', () => {
  it('is that waking takes no time, while it is held', () => {
    awake = awakeBy(SYSTEM_DEVICE);
    awake.need(now);
    expect(wishOfAll()).toBe(0);
    awake.close();
    expect(hasOpen(SYSTEM_DEVICE)).toBe(false);
    expect(refusals).toEqual([]);
  });
});

/** The least that anybody wishes now, in microseconds. */
function wishOfAll(): number {
  const descriptor = openSync(SYSTEM_DEVICE, 'r');
  const bytes = Buffer.alloc(4);
  readSync(descriptor, bytes);
  closeSync(descriptor);
  return bytes.readInt32LE();
}
