/**
 * Lets all workers of a process follow the end of the log over one connection to core.
 *
 * A worker that has far to go reads the log by itself, at its own pace. When it is near the end it takes its frames from the newest ones that are kept here, and goes back to reading by
 * itself as soon as the frame that it needs next is not among them: because it has fallen behind, or because the log behind core is another one.
 *
 * Ordering: a worker gets each frame once and in order: the next frame is the one that begins right behind its own position, on both ways. The two ways never run at the same time.
 * What is kept is bounded in bytes and frames.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createLogFollower,
  type FollowerStatus,
  type FrameSink,
  type LogFollower,
} from '@allsource/service-kit/feed';
import { deferred } from '@allsource/shared/lang';
import { position } from '@allsource/shared/model';
import { faultText } from './fault-desk.ts';
import { RecentFrames } from './recent-frames.ts';

/** So near to the end a worker takes from what is shared. */
const NEAR_EVENTS = 1_000;
const LOOK_MS = 100;
const AFTER_FAULT_MS = 100;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export interface FeedAccess {
  readonly coreUrl: string;
  readonly internalToken: string;
}

/** What follows the log into a sink. */
export type FollowedFeed = Pick<LogFollower, 'status' | 'close'>;

interface Shared {
  readonly frames: RecentFrames;
  readonly follower: LogFollower;
  riders: number;
}

export class SharedFeed {
  #shared: Shared | null = null;
  /** The end of the connection before: the next one begins after it. */
  #closing: Promise<void> = Promise.resolve();

  /** Follows the log into a sink until it is closed. */
  follow(access: FeedAccess, sink: FrameSink): FollowedFeed {
    return new Ride(this, { access, sink });
  }

  /** True while one connection serves several; for tests and figures. */
  get riders(): number {
    return this.#shared?.riders ?? 0;
  }

  /** What is shared, if a sink can go on with it; begun with this sink's position when nothing is shared yet. */
  join(access: FeedAccess, sink: FrameSink): Shared | null {
    const { appliedPosition, logId } = sink;
    if (logId === null) return null;
    if (this.#shared === null || this.#shared.frames.isLost) {
      const frames = new RecentFrames(appliedPosition, logId);
      const follower = createLogFollower({ ...access, sink: frames, logger: SILENT });
      void this.#closing.then(() => follower.start());
      this.#shared = { frames, follower, riders: 0 };
    }
    const shared = this.#shared;
    if (shared.frames.after(appliedPosition, logId) === null) return null;
    shared.riders += 1;
    return shared;
  }

  leave(shared: Shared): void {
    shared.riders -= 1;
    if (shared.riders > 0) return;
    if (this.#shared === shared) this.#shared = null;
    this.#closing = this.#closeAfter(this.#closing, shared.follower);
  }

  async #closeAfter(before: Promise<void>, follower: LogFollower): Promise<void> {
    await follower.close();
    await before;
  }
}

class Ride implements FollowedFeed {
  readonly #feed: SharedFeed;
  readonly #access: FeedAccess;
  readonly #sink: FrameSink;
  readonly #stop = new AbortController();
  readonly #stopped = deferred<void>();
  readonly #running: Promise<void>;
  #own: LogFollower | null = null;
  #shared: Shared | null = null;
  #fault: string | null = null;

  constructor(
    feed: SharedFeed,
    { access, sink }: { readonly access: FeedAccess; readonly sink: FrameSink },
  ) {
    this.#feed = feed;
    this.#access = access;
    this.#sink = sink;
    this.#running = this.#run();
  }

  get status(): FollowerStatus {
    if (this.#own !== null) return this.#own.status;
    const { appliedPosition } = this.#sink;
    const shared = this.#shared?.follower.status;
    const knownHead = position(Math.max(appliedPosition, shared?.knownHead ?? 0));
    const fault = this.#fault ?? shared?.fault ?? null;
    return { hasCaughtUp: shared !== undefined, appliedPosition, knownHead, fault };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#stopped.resolve();
    await this.#own?.close();
    await this.#running;
  }

  get #isClosed(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      await this.#readAlone();
      // Also when it is closed meanwhile: what was joined is left again.
      await this.#readShared();
    }
  }

  /** Reads by itself until it is near the end of the log. */
  async #readAlone(): Promise<void> {
    const own = createLogFollower({ ...this.#access, sink: this.#sink, logger: SILENT });
    this.#own = own;
    own.start();
    while (!this.#isClosed && this.#shared === null) {
      await sleep(LOOK_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (isNear(own.status)) this.#shared = this.#feed.join(this.#access, this.#sink);
    }
    await own.close();
    this.#own = null;
  }

  /** Takes what is shared until the next frame is not there. */
  async #readShared(): Promise<void> {
    const shared = this.#shared;
    if (shared === null) return;
    const { frames } = shared;
    while (!this.#isClosed) {
      const { appliedPosition, logId } = this.#sink;
      const next = logId === null ? null : frames.after(appliedPosition, logId);
      if (next === null || logId === null) break;
      if (next.length === 0) await Promise.race([frames.changed(), this.#stopped.promise]);
      else if (!(await this.#apply(() => this.#sink.apply(next, logId)))) break;
    }
    this.#shared = null;
    this.#feed.leave(shared);
  }

  async #apply(work: () => Promise<void> | void): Promise<boolean> {
    try {
      await work();
      this.#fault = null;
      return true;
    } catch (error) {
      this.#fault = faultText(error);
      await sleep(AFTER_FAULT_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
      return false;
    }
  }
}

function isNear({ hasCaughtUp, knownHead, appliedPosition, fault }: FollowerStatus): boolean {
  return hasCaughtUp && fault === null && knownHead - appliedPosition <= NEAR_EVENTS;
}
