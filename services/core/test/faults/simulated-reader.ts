/**
 * Readers of a simulated core, one for each way out of the log: they keep all they were ever shown, over all its lives, and go on behind it. A frame must begin right behind the one before
 * and must not pass the watermark of the moment.
 */
import { isNativeError } from 'node:util/types';
import { type Position, position } from '@allsource/shared/model';
import { FeedDecoder, type Frame } from '@allsource/shared/protocol';
import type { SeededRandom } from '@allsource/testkit';
import type { Journal } from '../../src/append/journal.ts';
import { CommitFeed } from '../../src/feed/commit-feed.ts';
import { LogTail } from '../../src/read/log-tail.ts';
import type { WorldHistory } from './world-history.ts';
import { framesOf } from '../../src/storage/stretch.ts';

export const READER_KINDS = ['tail', 'feed', 'poll', 'again', 'listener'] as const;
export type ReaderKind = (typeof READER_KINDS)[number];
/** How far behind the head those begin who read again and again. */
const BEHIND_MAX = 30;
/** How many turns of the event loop a slow reader takes for a frame. */
const SLOW_TURNS_MAX = 12;

/** A reader for one life of core. Its promise resolves when it was stopped. */
interface Reading {
  stop(): Promise<void>;
}

export class SimulatedReader {
  readonly kind: ReaderKind;
  /** What it was shown, in the order in which it was shown. */
  readonly seen: { readonly position: Position; readonly bytes: Buffer }[] = [];
  readonly faults: string[] = [];
  readonly #history: WorldHistory;
  readonly #random: SeededRandom;
  #next = 1;

  constructor(
    kind: ReaderKind,
    world: { readonly history: WorldHistory; readonly random: SeededRandom },
  ) {
    this.kind = kind;
    this.#history = world.history;
    this.#random = world.random;
  }

  /** True for those that see every commit in the end; the others see what comes while they look. */
  get isComplete(): boolean {
    return this.kind !== 'listener' && this.kind !== 'again';
  }

  /** How what it was shown breaks with what the log holds; null when it does not. */
  breachAgainst(frames: readonly Frame[]): string | null {
    if (this.faults.length > 0) return `${this.kind}: ${this.faults[0]}`;
    const byPosition = new Map(frames.map((frame) => [frame.position, frame]));
    const lost = this.seen.find(
      ({ position: at, bytes }) => byPosition.get(at)?.bytes.equals(bytes) !== true,
    );
    return lost === undefined ? null : `${this.kind} was shown ${lost.position}, which is lost`;
  }

  start(journal: Journal): Reading {
    const kinds: Record<ReaderKind, () => Reading> = {
      tail: () => this.#readTail(journal),
      feed: () => this.#readFeed(journal),
      poll: () => this.#repeat(() => this.#poll(journal)),
      again: () => this.#repeat(() => this.#readAgain(journal)),
      listener: () => this.#listen(journal),
    };
    return kinds[this.kind]();
  }

  #take(journal: Journal, frame: Frame): void {
    if (frame.lastPosition > journal.head)
      this.faults.push(`${frame.lastPosition} was shown beyond the head ${journal.head}`);
    if (frame.position !== this.#next)
      this.faults.push(`${frame.position} was shown where ${this.#next} belongs`);
    this.#next = frame.lastPosition + 1;
    this.seen.push({ position: frame.position, bytes: Buffer.from(frame.bytes) });
    this.#history.note(`${this.kind} sees ${frame.position}`);
  }

  #readTail(journal: Journal): Reading {
    const tail = new LogTail({ log: journal, from: position(this.#next), queueBytesMax: 4000 });
    const done = untilStopped(async () => {
      for (;;) {
        const frame = await tail.next();
        if (frame === null) return;
        this.#take(journal, frame);
        await this.#dawdle();
      }
    });
    return {
      stop: async () => {
        await tail.close();
        await done;
      },
    };
  }

  #readFeed(journal: Journal): Reading {
    // Without notices by time the feed depends on the log alone.
    const feed = new CommitFeed(journal, { idleNoticeMs: Number.POSITIVE_INFINITY });
    const decoder = new FeedDecoder();
    const write = async (bytes: Buffer) => {
      for (const message of decoder.push(Buffer.from(bytes)))
        if (message.kind === 'frame') this.#take(journal, message.frame);
      await this.#dawdle();
      return true;
    };
    const request = { from: position(this.#next), to: null, onlySystem: false };
    const gone = new AbortController();
    const done = untilStopped(() => feed.send(request, { write }, gone.signal));
    return {
      stop: async () => {
        gone.abort();
        await feed.close();
        await done;
      },
    };
  }

  async #poll(journal: Journal): Promise<void> {
    if (this.#next > journal.head) return;
    for await (const frame of framesOf(journal.read(position(this.#next))))
      this.#take(journal, frame);
  }

  /** Reads the newest part of the log, most of which it has seen: so reads are under way while appends are. */
  async #readAgain(journal: Journal): Promise<void> {
    if (journal.head === 0) return;
    this.#next = 0;
    const from = position(Math.max(1, journal.head - this.#random.below(BEHIND_MAX)));
    for await (const frame of framesOf(journal.read(from))) {
      if (this.#next === 0) this.#next = frame.position;
      this.#take(journal, frame);
    }
  }

  /** Sometimes takes a while, so that what waits for it overflows. */
  async #dawdle(): Promise<void> {
    if (this.#random.below(4) > 0) return;
    for (let turns = this.#random.below(SLOW_TURNS_MAX); turns > 0; turns--) await oneTurn();
  }

  #repeat(read: () => Promise<void>): Reading {
    const stopped = new AbortController();
    const done = (async () => {
      while (!stopped.signal.aborted) {
        await untilStopped(read);
        await oneTurn();
      }
    })();
    return {
      stop: async () => {
        stopped.abort();
        await done;
      },
    };
  }

  /** Only what comes live: it begins where the log stands. */
  #listen(journal: Journal): Reading {
    this.#next = journal.head + 1;
    const unsubscribe = journal.subscribe((frame) => this.#take(journal, frame));
    return { stop: async () => unsubscribe() };
  }
}

function oneTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A read may fail because the disk does; the reader then goes on later. Anything but an error of the disk or the log is a fault of the test. */
async function untilStopped(read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (thrown) {
    if (!isNativeError(thrown) || !('code' in thrown)) throw thrown;
    if (thrown.code === 'log_damaged') throw thrown;
  }
}
