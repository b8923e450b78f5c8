/**
 * A whole core on a simulated disk and a fake clock: the real journal and file log, clients that append with conditions and keys, readers on every way out of the log, and a disk that stalls, refuses,
 * fails, or loses its process or its power. Core is started again on what is left, life after life, and in the last life nothing fails. One seed decides everything.
 */
import { must } from '@allsource/shared/lang';
import { position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import {
  diskError,
  type DiskHook,
  FakeClock,
  SeededRandom,
  SimulatedDisk,
} from '@allsource/testkit';
import { Journal } from '../../src/append/journal.ts';
import type { CommitBuilder } from '../../src/append/commit-builder.ts';
import { IngestKernel } from '../../src/ingest-kernel/ingest-kernel.ts';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { SequencingBuilder } from '../../src/append/sequencing-builder.ts';
import { asError } from '../../src/storage/disk.ts';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { SAMPLE_LOG_ID } from '../log/sample-frames.ts';
import { PAGE_BYTES } from './sample-writer.ts';
import { type ClientCounts, SimulatedClient } from './simulated-client.ts';
import { READER_KINDS, SimulatedReader } from './simulated-reader.ts';
import { WorldHistory } from './world-history.ts';

/** How a life of core ends or is troubled. */
export type Trouble = 'power loss' | 'kill' | 'error' | 'refusals' | 'stalls' | 'clock';

export interface WorldPlan {
  readonly seed: number;
  /** The compiled ingest kernel, to make the commits with it; null for the builder in TypeScript. */
  readonly kernelWasm: ConstructorParameters<typeof IngestKernel>[0]['wasm'] | null;
  readonly clients: number;
  readonly readersOfEachKind: number;
  readonly lives: number;
  readonly requestsPerClient: number;
  readonly troubles: readonly Trouble[];
}

export interface WorldOutcome {
  /** How promises were broken; empty when all were kept. */
  readonly breaches: readonly string[];
  readonly traceHash: string;
  readonly counts: ClientCounts & {
    lives: number;
    crashes: number;
    events: number;
    shown: number;
    stalls: number;
  };
}

const CRASH_CALLS_MAX = 700;
const STALL_MS_MAX = 5000;
const TURNS_MAX = 200_000;

export async function runWorld(plan: WorldPlan): Promise<WorldOutcome> {
  return new World(plan).run();
}

class World {
  readonly #plan: WorldPlan;
  readonly #random: SeededRandom;
  readonly #clock = new FakeClock();
  readonly #history = new WorldHistory();
  readonly #clients: SimulatedClient[];
  readonly #readers: SimulatedReader[];
  readonly #segmentBytes: number;
  readonly #counts: WorldOutcome['counts'] = {
    appended: 0,
    replayed: 0,
    conflicts: 0,
    refused: 0,
    unknown: 0,
    lives: 0,
    crashes: 0,
    events: 0,
    shown: 0,
    stalls: 0,
  };
  readonly #breaches: string[] = [];
  #disk = new SimulatedDisk();
  /** What the crash of this life left; null while core lives. */
  #left: SimulatedDisk | null = null;

  constructor(plan: WorldPlan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    this.#segmentBytes = (2 + this.#random.below(4)) * PAGE_BYTES;
    this.#clients = Array.from(
      { length: plan.clients },
      (_, i) =>
        new SimulatedClient({
          name: `client ${i}`,
          history: this.#history,
          random: this.#random,
          counts: this.#counts,
        }),
    );
    this.#readers = READER_KINDS.flatMap((kind) =>
      Array.from(
        { length: plan.readersOfEachKind },
        () => new SimulatedReader(kind, { history: this.#history, random: this.#random }),
      ),
    );
  }

  async run(): Promise<WorldOutcome> {
    for (let life = 0; life < this.#plan.lives; life++)
      await this.#live(this.#plan.requestsPerClient);
    this.#disk.onCall = () => undefined;
    this.#left = null;
    const frames = await this.#liveInPeace();
    this.#counts.events = frames.at(-1)?.lastPosition ?? 0;
    this.#counts.shown = this.#readers.reduce((sum, { seen }) => sum + seen.length, 0);
    return {
      breaches: this.#breaches,
      traceHash: this.#history.traceHash(),
      counts: this.#counts,
    };
  }

  /** One life under trouble, from the start of core to its end. */
  async #live(requests: number): Promise<void> {
    this.#counts.lives += 1;
    this.#left = null;
    this.#disk.onCall = this.#troubledHook();
    const journal = await this.#openedOrCrashed();
    if (journal !== null) {
      this.#check(await framesOf(journal, this.#disk), 'after a start');
      await this.#workAndEnd(journal, requests);
    }
    this.#disk = this.#left ?? this.#disk.afterKill();
  }

  /** The last life: every fate becomes known, every reader sees everything. */
  async #liveInPeace(): Promise<Frame[]> {
    const journal = await this.#open();
    await this.#work(journal, 2, () =>
      this.#readers.every(({ seen, isComplete }) => !isComplete || seenEnd(seen) === journal.head),
    );
    const frames = await framesOf(journal, this.#disk);
    this.#check(frames, 'at the end');
    for (const client of this.#clients)
      if (client.unknownCount > 0) this.#breaches.push('a retry was not answered in peace');
    for (const { kind, seen, isComplete } of this.#readers)
      if (isComplete && seen.length !== frames.length)
        this.#breaches.push(`${kind} was shown ${seen.length} of ${frames.length} commits`);
    await journal.close();
    return frames;
  }

  #check(frames: readonly Frame[], when: string): void {
    for (const breach of this.#history.breaches(frames)) this.#breaches.push(`${breach} (${when})`);
    for (const reader of this.#readers) {
      const breach = reader.breachAgainst(frames);
      if (breach !== null) this.#breaches.push(`${breach} (${when})`);
    }
  }

  #open(): Promise<Journal> {
    const clock = this.#clock;
    const random = () => this.#random.below(2 ** 22);
    const store = new FileLogStore({
      disk: this.#disk,
      segmentBytes: this.#segmentBytes,
      partitionCount: 256,
      makeLogId: () => SAMPLE_LOG_ID,
      clock,
      nowMs: clock.nowMs,
    });
    return Journal.open({ store, clock, random, folds: [], builder: this.#builder(random) });
  }

  #builder(random: () => number): CommitBuilder {
    const clock = this.#clock;
    const { kernelWasm: wasm } = this.#plan;
    if (wasm === null) return new SequencingBuilder({ clock, random });
    const kernel = new IngestKernel({
      wasm,
      inputBytesMax: 256 * 1024,
      eventsMax: 16,
      hashKey: Buffer.alloc(16, this.#plan.seed),
      idSeed: Buffer.alloc(8, this.#plan.seed),
    });
    return new KernelBuilder({ kernel, clock });
  }

  async #openedOrCrashed(): Promise<Journal | null> {
    const opening = settled(this.#open());
    await this.#turnUntil(() => opening.isSettled());
    const { value, failure } = opening;
    if (failure === undefined) return must(value, 'a journal');
    // A start may fail because the disk does. Anything but an error of the disk is a breach.
    if (!isDiskTrouble(failure)) throw failure;
    this.#history.note('core does not start');
    return null;
  }

  async #workAndEnd(journal: Journal, requests: number): Promise<void> {
    await this.#work(journal, requests, () => true);
    const closing = settled(journal.close());
    await this.#turnUntil(() => closing.isSettled());
    if (closing.failure !== undefined && !isDiskTrouble(closing.failure)) throw closing.failure;
  }

  async #work(journal: Journal, requests: number, haveReadersDone: () => boolean): Promise<void> {
    const readings = this.#readers.map((reader) => reader.start(journal));
    const isOver = () => this.#left !== null || journal.poison !== null;
    const clients = settled(
      Promise.all(this.#clients.map((client) => client.run(journal, requests, isOver))),
    );
    await this.#turnUntil(() => clients.isSettled() && haveReadersDone());
    if (clients.failure !== undefined) throw clients.failure;
    const stopping = settled(Promise.all(readings.map((reading) => reading.stop())));
    await this.#turnUntil(() => stopping.isSettled());
    if (stopping.failure !== undefined) throw stopping.failure;
  }

  /** Turns the event loop and the clock until something holds. */
  async #turnUntil(isDone: () => boolean): Promise<void> {
    for (let turn = 0; !isDone(); turn++) {
      if (turn > TURNS_MAX) throw new Error('the simulated core hangs');
      await new Promise((resolve) => setImmediate(resolve));
      this.#clock.advance(1 + (this.#clock.sleeperCount > 0 ? this.#random.below(1000) : 0));
    }
  }

  #troubledHook(): DiskHook {
    const troubles = this.#plan.troubles.filter(() => this.#random.below(2) === 0);
    const hooks = troubles.map((trouble) => this.#hookOf(trouble));
    return (call, name) => {
      if (this.#left !== null) throw diskError('EIO', name);
      this.#history.note(`${call} ${name}`);
      for (const hook of hooks) {
        const fault = hook(call, name);
        if (fault !== undefined) return fault;
      }
      return undefined;
    };
  }

  #hookOf(trouble: Trouble): DiskHook {
    switch (trouble) {
      case 'power loss':
        return this.#crash((disk) => disk.afterPowerLoss(this.#random));
      case 'kill':
        return this.#crash((disk) => disk.afterKill());
      case 'error':
        return this.#failing();
      case 'refusals':
        return this.#refusing();
      case 'stalls':
        return this.#stalling();
      case 'clock':
        return this.#jumping();
    }
  }

  #crash(leave: (disk: SimulatedDisk) => SimulatedDisk): DiskHook {
    let callsLeft = this.#random.below(CRASH_CALLS_MAX);
    return (_call, name) => {
      if (callsLeft-- > 0) return;
      this.#counts.crashes += 1;
      this.#left = leave(this.#disk);
      this.#history.note('crash');
      throw diskError('EIO', name);
    };
  }

  /** One error that poisons, at a random write or sync. */
  #failing(): DiskHook {
    let callsLeft = this.#random.below(CRASH_CALLS_MAX / 4);
    return (call, name) => {
      if (call !== 'write' && call !== 'datasync') return;
      if (callsLeft-- === 0) throw diskError('EIO', name);
    };
  }

  /** Stretches in which there is no space, or no file handle. */
  #refusing(): DiskHook {
    return (call, name) => {
      const isRefused = this.#random.below(25) === 0;
      if (!isRefused) return;
      if (call === 'write' || call === 'fill') throw diskError('ENOSPC', name);
      if (call === 'create') throw diskError('EMFILE', name);
    };
  }

  #stalling(): DiskHook {
    return (call, name) => {
      if (call !== 'datasync' && call !== 'syncFolder') return;
      if (this.#random.below(12) !== 0) return;
      this.#counts.stalls += 1;
      const durationMs = this.#random.below(STALL_MS_MAX);
      return { kind: 'stalled', wait: () => this.#standStill(durationMs, name) };
    };
  }

  /** A call that stood still when the process or the power went never comes back: the dead tell nobody what became of it. */
  async #standStill(durationMs: number, name: string): Promise<void> {
    await this.#clock.sleep(durationMs);
    if (this.#left !== null) throw diskError('EIO', name);
  }

  #jumping(): DiskHook {
    return () => {
      if (this.#random.below(100) === 0)
        this.#clock.skewMicros = (this.#random.below(7200) - 3600) * 1_000_000;
    };
  }
}

interface Settled<T> {
  value: T | undefined;
  failure: Error | undefined;
  isSettled(): boolean;
}

/** Watches a promise, whose failure is looked at later. */
function settled<T>(promise: Promise<T>): Settled<T> {
  let isDone = false;
  const state: Settled<T> = { value: undefined, failure: undefined, isSettled: () => isDone };
  promise.then(
    (value) => {
      state.value = value;
      isDone = true;
      return value;
    },
    (thrown: unknown) => {
      state.failure = asError(thrown);
      isDone = true;
    },
  );
  return state;
}

function isDiskTrouble(thrown: unknown): boolean {
  for (let one = thrown; one instanceof Error; one = one.cause)
    if ('code' in one && ['EIO', 'ENOSPC', 'EMFILE'].includes(String(one.code))) return true;
  return false;
}

/** The whole log, read past all trouble. */
async function framesOf(journal: Journal, disk: SimulatedDisk): Promise<Frame[]> {
  const hook = disk.onCall;
  disk.onCall = () => undefined;
  const frames: Frame[] = [];
  if (journal.head > 0)
    for await (const stretch of journal.read(position(1))) frames.push(...stretch);
  disk.onCall = hook;
  return frames;
}

function seenEnd(seen: SimulatedReader['seen']): number {
  const last = seen.at(-1);
  if (last === undefined) return 0;
  return last.position + must(last.bytes.readUInt32LE(40), 'a frame has events') - 1;
}
