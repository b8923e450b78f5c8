import { describe, expect, it } from '@jest/globals';
import { micros, position, positionAfter } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { type DiskCall, diskError, SeededRandom, SimulatedDisk } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import type { LogHead } from '../../src/storage/log-store.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';

function storeOn(disk: SimulatedDisk, segmentBytes: number): FileLogStore {
  return new FileLogStore({
    disk,
    segmentBytes,
    partitionCount: 256,
    makeLogId: () => SAMPLE_LOG_ID,
    clock: { nowMicros: () => micros(0) },
    nowMs: () => 0,
  });
}

/** What a writer above the store knows: what it was told is durable, and what it tried and does not know about. */
class Writer {
  readonly acknowledged: Frame[];
  attempted: readonly Frame[] = [];
  readonly #store: FileLogStore;
  readonly #random: SeededRandom;
  #head: LogHead;

  constructor(log: {
    readonly store: FileLogStore;
    readonly head: LogHead;
    readonly frames: readonly Frame[];
    readonly random: SeededRandom;
  }) {
    this.#store = log.store;
    this.#head = log.head;
    this.#random = log.random;
    this.acknowledged = [...log.frames];
  }

  /** Appends a group of random frames, the last time's again if the disk was full. Returns how it ended. */
  async append(): Promise<string> {
    if (this.attempted.length === 0) this.attempted = this.#randomGroup();
    const outcome = await this.#store.append(this.attempted);
    if (outcome.kind !== 'appended') return outcome.kind;
    this.acknowledged.push(...this.attempted);
    const last = this.acknowledged.at(-1);
    if (last !== undefined)
      this.#head = { ...this.#head, position: last.lastPosition, checksum: last.checksum };
    this.attempted = [];
    return outcome.kind;
  }

  #randomGroup(): Frame[] {
    const maker = new SampleFrames(this.#head);
    const durablePosition = this.#head.position;
    const isLarge = this.#random.below(12) === 0;
    return Array.from({ length: 1 + this.#random.below(5) }, () =>
      maker.next({
        durablePosition,
        events: 1 + this.#random.below(3),
        payloadBytes: this.#random.below(isLarge ? 20_000 : 1500),
      }),
    );
  }
}

async function opened(
  disk: SimulatedDisk,
  segmentBytes: number,
): Promise<{ readonly store: FileLogStore; readonly head: LogHead; readonly frames: Frame[] }> {
  const store = storeOn(disk, segmentBytes);
  const frames: Frame[] = [];
  const head = await store.open({ onFrame: (frame) => frames.push(frame) });
  return { store, head, frames };
}

/** The log holds all that was acknowledged, and of what was attempted a prefix of whole frames. */
function expectSound(frames: readonly Frame[], writer: Writer): void {
  const { acknowledged, attempted } = writer;
  expect(frames.length).toBeGreaterThanOrEqual(acknowledged.length);
  const expected = [...acknowledged, ...attempted].slice(0, frames.length);
  expect(bytesOf(frames) === bytesOf(expected)).toBe(true);
}

describe('a loss of power', () => {
  it('at any call, of appends, rolls and recoveries, loses no acknowledged event', async () => {
    const seeds = 120;
    let losses = 0;
    let events = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const random = new SeededRandom(seed);
      const segmentBytes = (2 + random.below(4)) * 4096;
      let disk = new SimulatedDisk();
      let expected: { readonly acknowledged: Frame[]; readonly attempted: readonly Frame[] } = {
        acknowledged: [],
        attempted: [],
      };
      for (let life = 0; life < 4; life++, losses++) {
        const loss = powerLossAt(disk, random);
        let writer: Writer | null = null;
        try {
          const log = await opened(disk, segmentBytes);
          writer = new Writer({ ...log, random });
          expectSound(log.frames, expected as Writer);
          for (let i = 0; i < 60 && (await writer.append()) === 'appended'; i++);
        } catch (thrown) {
          if (!loss.hasHappened()) throw thrown;
        }
        if (writer !== null) expected = writer;
        disk = loss.diskAfter();
      }
      const last = await opened(disk, segmentBytes);
      expectSound(last.frames, expected as Writer);
      events += last.head.position;
      await last.store.close();
    }
    expect(losses).toBe(4 * seeds);
    console.log(
      `power lost ${losses} times over ${seeds} seeds (1 to ${seeds}), ${events} events kept`,
    );
  });
});

interface PowerLoss {
  readonly hasHappened: () => boolean;
  /** The disk that the loss left; the one of a loss right now if the moment never came. */
  readonly diskAfter: () => SimulatedDisk;
}

/** Arms a disk to lose its power at a random call and to fail from then on. */
function powerLossAt(disk: SimulatedDisk, random: SeededRandom): PowerLoss {
  let callsLeft = random.below(120);
  let after: SimulatedDisk | null = null;
  disk.onCall = (call) => {
    if (callsLeft-- > 0) return;
    after ??= disk.afterPowerLoss(random);
    throw diskError('EIO', call);
  };
  return {
    hasHappened: () => after !== null,
    diskAfter: () => after ?? disk.afterPowerLoss(random),
  };
}

const CALLS: readonly DiskCall[] = [
  'write',
  'datasync',
  'fill',
  'create',
  'rename',
  'unlink',
  'syncFolder',
];

describe('an error of the disk', () => {
  it.each([
    ['EIO', 1],
    ['ENOSPC', 1],
    ['EDQUOT', 3],
  ])(
    '%s at every call in turn, %i in a row: nothing acknowledged is lost',
    async (code, inARow) => {
      const counts = { cases: 0, full: 0, failed: 0 };
      for (const call of CALLS) {
        for (let nth = 1; ; nth++) {
          const outcome = await runWithFault({ code, call, nth, inARow });
          if (outcome === 'clean') break;
          counts.cases += 1;
          if (outcome === 'full') counts.full += 1;
          if (outcome === 'failed') counts.failed += 1;
        }
      }
      console.log(`${code}, ${inARow} in a row: ${JSON.stringify(counts)}`);
      expect(counts.cases).toBeGreaterThan(100);
      expect(counts.failed).toBeGreaterThan(0);
      expect(counts.full > 0).toBe(code !== 'EIO');
    },
  );

  it('on a sync is not forgotten: what a later open shows survives a loss of power', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = new SeededRandom(seed);
      const disk = new SimulatedDisk();
      const first = await opened(disk, 64 * 4096);
      const writer = new Writer({ ...first, random });
      for (let i = 0; i < 5; i++) expect(await writer.append()).toBe('appended');
      disk.onCall = (call) => {
        if (call === 'datasync') throw diskError('EIO', 'sync');
      };
      expect(await writer.append()).toBe('failed');
      expect(first.store.isPoisoned).toBe(true);
      expect(await writer.append()).toBe('failed');
      disk.onCall = () => undefined;
      const second = await opened(disk, 64 * 4096);
      expectSound(second.frames, writer);
      const afterLoss = await opened(disk.afterPowerLoss(random), 64 * 4096);
      expect(bytesOf(afterLoss.frames) === bytesOf(second.frames)).toBe(true);
      await first.store.close();
    }
  });
});

/** Groups of a run: enough for several rolls, few enough to run it for every call. */
const GROUPS = 12;

interface Fault {
  readonly code: string;
  readonly call: DiskCall;
  readonly nth: number;
  readonly inARow: number;
}

/** Appends groups with a fault on the way and checks what is left. Returns what the fault did, `clean` if it was never met. */
async function runWithFault(fault: Fault): Promise<'clean' | 'hidden' | 'full' | 'failed'> {
  const random = new SeededRandom(99);
  const disk = new SimulatedDisk();
  const log = await opened(disk, 2 * 4096);
  const writer = new Writer({ ...log, random });
  let seen = 0;
  disk.onCall = (call) => {
    if (call !== fault.call) return;
    seen += 1;
    if (seen >= fault.nth && seen < fault.nth + fault.inARow) throw diskError(fault.code, call);
  };
  let result: 'hidden' | 'full' | 'failed' = 'hidden';
  let kind = '';
  for (let i = 0; i < GROUPS || kind === 'full'; i++) {
    kind = await writer.append();
    if (kind === 'full') {
      result = 'full';
      await expectNothingLeft(disk, writer);
    }
    if (kind !== 'failed') continue;
    result = 'failed';
    expect(await writer.append()).toBe('failed');
    break;
  }
  const readable = await collect(log.store.read(position(1)));
  expect(bytesOf(readable) === bytesOf(writer.acknowledged)).toBe(true);
  expect(result === 'full' && writer.attempted.length > 0).toBe(false);
  for (const left of [disk.afterKill(), disk.afterPowerLoss(random), disk.afterPowerLoss(random)])
    expectSound((await opened(left, 2 * 4096)).frames, writer);
  await log.store.close();
  expectSound((await opened(disk.afterKill(), 2 * 4096)).frames, writer);
  return seen < fault.nth ? 'clean' : result;
}

async function expectNothingLeft(disk: SimulatedDisk, writer: Writer): Promise<void> {
  const { head } = await opened(disk.afterKill(), 2 * 4096);
  const last = writer.acknowledged.at(-1);
  expect(head.position).toBe(last === undefined ? 0 : positionAfter(last.lastPosition, 0));
}
