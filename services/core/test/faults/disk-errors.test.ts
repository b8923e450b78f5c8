/**
 * R7: the N-th call of each kind fails, for every N until a run no longer meets the fault, while a log is opened, appended to, rolled and closed. What fails is not acknowledged, no file is synced
 * again after a sync of it has failed, a full disk leaves nothing behind and appends go on, and what was acknowledged is there after a kill and a loss of power.
 */
import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { position } from '@allsource/shared/model';
import {
  DISK_CALLS,
  type DiskCall,
  diskError,
  type DiskHook,
  eachSeed,
  failAtCall,
  isLong,
  report,
  seed,
  SeededRandom,
  SimulatedDisk,
} from '@allsource/testkit';
import { isNativeError } from 'node:util/types';
import { collect } from '../log/sample-frames.ts';
import {
  type Expectation,
  expectSound,
  NOTHING,
  type OpenedLog,
  openedLog,
  PAGE_BYTES,
  SampleWriter,
} from './sample-writer.ts';

const FILE = 'services/core/test/faults/disk-errors.test.ts';
const SEGMENT_BYTES = 2 * PAGE_BYTES;
/** Groups of a run: enough for several rolls, few enough to run it for every call. */
const GROUPS = isLong ? 16 : 7;

interface Fault {
  readonly code: string;
  readonly call: DiskCall;
  readonly nth: number;
  readonly inARow: number;
}

type Outcome = 'clean' | 'hidden' | 'full' | 'failed' | 'not opened';

/** Notes a sync of a file that an earlier sync of the same handle has failed on. */
function syncWatch(hook: DiskHook): { readonly hook: DiskHook; readonly repeated: string[] } {
  const failed = new Set<string>();
  const repeated: string[] = [];
  return {
    repeated,
    hook: (call, name) => {
      if (call === 'open' || call === 'create') failed.delete(name);
      if (call === 'datasync' && failed.has(name)) repeated.push(name);
      try {
        return hook(call, name);
      } catch (thrown) {
        if (call === 'datasync') failed.add(name);
        throw thrown;
      }
    },
  };
}

/** Opens, appends groups and closes with a fault on the way, and checks what is left after each step. */
async function runWithFault(fault: Fault): Promise<Outcome> {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk();
  const failing = failAtCall(fault);
  const watch = syncWatch(failing.hook);
  disk.onCall = watch.hook;
  const log = await openedOrNull(disk, fault);
  if (log === null) {
    await expectLeft({ disk, random, expected: NOTHING });
    return 'not opened';
  }
  const writer = new SampleWriter({ ...log, random });
  const result = await appendGroups({ disk, writer });
  expect(watch.repeated).toEqual([]);
  disk.onCall = () => undefined;
  const readable = await collect(log.store.read(position(1)));
  expectSound(readable, { acknowledged: writer.acknowledged, attempted: [] });
  expect(readable.length).toBe(writer.acknowledged.length);
  await expectLeft({ disk, random, expected: writer });
  disk.onCall = watch.hook;
  await closeOrFail(log, fault);
  disk.onCall = () => undefined;
  expectSound((await openedLog(disk.afterKill(), SEGMENT_BYTES)).frames, writer);
  return failing.seen() < fault.nth ? 'clean' : result;
}

async function appendGroups(run: {
  readonly disk: SimulatedDisk;
  readonly writer: SampleWriter;
}): Promise<Outcome> {
  const { disk, writer } = run;
  let result: Outcome = 'hidden';
  let kind = '';
  for (let i = 0; i < GROUPS || kind === 'full'; i++) {
    kind = await writer.append();
    if (kind === 'failed') {
      expect(await writer.append()).toBe('failed');
      return 'failed';
    }
    if (kind !== 'full') continue;
    result = 'full';
    await expectNothingOfAttempt(disk, writer);
  }
  return result;
}

async function openedOrNull(disk: SimulatedDisk, fault: Fault): Promise<OpenedLog | null> {
  try {
    return await openedLog(disk, SEGMENT_BYTES);
  } catch (thrown) {
    expectCauseOf(thrown, fault);
    return null;
  }
}

/** A close that fails says what the disk said. */
async function closeOrFail(log: OpenedLog, fault: Fault): Promise<void> {
  try {
    await log.store.close();
  } catch (thrown) {
    expectCauseOf(thrown, fault);
  }
}

function expectCauseOf(thrown: unknown, fault: Fault): void {
  const codes: unknown[] = [];
  for (let one = thrown; isNativeError(one); one = one.cause) codes.push((one as Problem).code);
  expect(codes).toContain(fault.code);
}

async function expectLeft(left: {
  readonly disk: SimulatedDisk;
  readonly random: SeededRandom;
  readonly expected: Expectation;
}): Promise<void> {
  const { disk, random, expected } = left;
  for (const after of [disk.afterKill(), disk.afterPowerLoss(random), disk.afterPowerLoss(random)])
    expectSound((await openedLog(after, SEGMENT_BYTES)).frames, expected);
}

async function expectNothingOfAttempt(disk: SimulatedDisk, writer: SampleWriter): Promise<void> {
  const { frames } = await openedLog(disk.afterKill(), SEGMENT_BYTES);
  expectSound(frames, { acknowledged: writer.acknowledged, attempted: [] });
}

describe('R7: an error of the disk', () => {
  it.each([
    ['EIO', 1],
    ['ENOSPC', 1],
    ['EDQUOT', 3],
  ])(
    '%s at every call in turn, %i in a row: nothing acknowledged is lost, and no file is synced again after a failed sync',
    async (code, inARow) => {
      const counts: Record<Outcome, number> = {
        clean: 0,
        hidden: 0,
        full: 0,
        failed: 0,
        'not opened': 0,
      };
      for (const call of DISK_CALLS) {
        for (let nth = 1; ; nth++) {
          const outcome = await runWithFault({ code, call, nth, inARow });
          counts[outcome] += 1;
          if (outcome === 'clean') break;
        }
      }
      report(`R7 ${code}, ${inARow} in a row`, counts);
      expect(counts.clean).toBe(DISK_CALLS.length);
      expect(counts.failed).toBeGreaterThan(20);
      expect(counts['not opened']).toBeGreaterThan(5);
      expect(counts.full > 0).toBe(code !== 'EIO');
    },
    600_000,
  );

  it('of a sync is not forgotten: what a later open shows survives a loss of power', async () => {
    const seeds = await eachSeed({ file: FILE, short: 50, long: 2000 }, async (one) => {
      const random = new SeededRandom(one);
      const disk = new SimulatedDisk();
      const first = await openedLog(disk, 64 * PAGE_BYTES);
      const writer = new SampleWriter({ ...first, random });
      for (let i = 0; i < 5; i++) expect(await writer.append()).toBe('appended');
      disk.onCall = (call, name) => {
        if (call === 'datasync') throw diskError('EIO', name);
      };
      expect(await writer.append()).toBe('failed');
      expect(first.store.isPoisoned).toBe(true);
      expect(await writer.append()).toBe('failed');
      disk.onCall = () => undefined;
      const second = await openedLog(disk, 64 * PAGE_BYTES);
      expectSound(second.frames, writer);
      const afterLoss = await openedLog(disk.afterPowerLoss(random), 64 * PAGE_BYTES);
      expect(afterLoss.frames.length).toBe(second.frames.length);
      expectSound(afterLoss.frames, { acknowledged: second.frames, attempted: [] });
      await first.store.close();
    });
    report('R7 failed sync, then a restart, then a loss of power', { seeds });
  });
});
