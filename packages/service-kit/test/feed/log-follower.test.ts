import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, until } from '@allsource/testkit';
import { createLogger } from '@allsource/service-kit/observability';
import { deferred } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { createLogFollower } from '../../src/feed/create-log-follower.ts';
import { type FollowerTimers, systemTimers } from '../../src/feed/follower-timers.ts';
import type { LogFollower } from '../../src/feed/log-follower.ts';
import { FeedServer, TOKEN } from './feed-server.ts';
import { RecordingSink } from './recording-sink.ts';
import { SampleLog, seededRandom } from './sample-log.ts';

const CUTS_MIN = 10;
const WAIT_MS = 120_000;
/** Waits pass twenty times as fast, so that seconds of silence and back-off do not make the tests slow. */
const fastTimers: FollowerTimers = {
  after: (delayMs, call) => systemTimers.after(Math.ceil(delayMs / 20), call),
  random: seededRandom(7),
};
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

interface WorldOptions {
  readonly frames?: number;
  readonly only?: 'system';
  readonly timers?: FollowerTimers;
}

interface World {
  readonly log: SampleLog;
  readonly server: FeedServer;
  readonly sink: RecordingSink;
  readonly follower: LogFollower;
  /** Waits until the sink stands at the log's head, then compares. */
  readonly settle: () => Promise<void>;
}

async function world({ frames = 0, only, timers = fastTimers }: WorldOptions = {}): Promise<World> {
  const log = new SampleLog('first');
  for (let i = 0; i < frames; i++) log.append({ events: 1 + (i % 3), isSystem: i % 5 === 0 });
  const server = new FeedServer(log);
  await server.listen();
  const sink = new RecordingSink(only !== undefined);
  const follower = createLogFollower({
    coreUrl: server.url,
    internalToken: TOKEN,
    sink,
    only,
    logger: createLogger('test', 'silent'),
    timers,
  });
  cleanups.add(
    () => server.close(),
    () => follower.close(),
  );
  return { log, server, sink, follower, settle: () => compareWhenSettled(server, sink, follower) };
}

async function compareWhenSettled(server: FeedServer, sink: RecordingSink, follower: LogFollower) {
  await until(() => sink.appliedPosition === server.log.head && follower.status.fault === null);
  expect(sink.faults).toEqual([]);
  const isFiltered = sink.advances > 0;
  const expected = server.log.frames.filter((frame) => !isFiltered || frame.isSystem);
  expect(sink.frames.map((frame) => frame.checksum)).toEqual(
    expected.map((frame) => frame.checksum),
  );
}

describe('a follower of the feed', () => {
  it('gives the sink what is there, then what comes, each frame once and in order', async () => {
    const { log, server, sink, follower, settle } = await world({ frames: 2_500 });
    follower.start();
    await settle();
    expect(follower.status).toMatchObject({ hasCaughtUp: true, knownHead: log.head, fault: null });
    expect(sink.applyCalls).toBeGreaterThan(2);
    const target = log.append({ events: 4 }).lastPosition;
    const waited = follower.waitFor(target, WAIT_MS);
    server.publish();
    expect(await waited).toBe(true);
    await settle();
    expect(server.feedRequests).toBe(1);
  });

  it('survives connections cut at any byte, and doubled and shuffled frames', async () => {
    const random = seededRandom(42);
    const { log, server, follower, settle } = await world({ frames: 300 });
    let cuts = 0;
    server.faults.cutAfterBytes = () => {
      cuts++;
      return Math.floor(random() * 20_000) + 1;
    };
    server.faults.disturb = (frames) => (random() < 0.5 ? frames : disturbed(frames, random));
    follower.start();
    // A busy machine comes to fewer cuts in as many appends.
    const isCutEnough = () => cuts > CUTS_MIN;
    for (let i = 0; i < 40 || (!isCutEnough() && i < 4000); i++) {
      log.append({ events: 1 + Math.floor(random() * 5), payloadBytes: random() * 3_000 });
      server.publish();
      await new Promise((resolve) => {
        setTimeout(resolve, random() * 10);
      });
    }
    server.faults.cutAfterBytes = () => null;
    await settle();
    expect(cuts).toBeGreaterThan(CUTS_MIN);
  });

  it('leaves a server that is silent and takes up again when it speaks', async () => {
    const { log, server, follower, settle } = await world({ frames: 10 });
    follower.start();
    await settle();
    server.faults.isSilent = true;
    log.append({ events: 2 });
    await until(() => follower.status.fault !== null);
    expect(follower.status.fault).toMatch(/silent|no answer/);
    server.faults.isSilent = false;
    await settle();
  });

  it('goes on where a sink stood that was filled in an earlier life of the process', async () => {
    const { log, sink, follower, settle } = await world({ frames: 50 });
    sinkHolds(sink, log.frames.slice(0, 20));
    follower.start();
    await settle();
    expect(sink.resets).toBe(0);
  });

  it('empties a sink that was filled from another log', async () => {
    const { sink, follower, settle } = await world({ frames: 30 });
    const other = new SampleLog('other');
    for (let i = 0; i < 10; i++) other.append({ events: 1 });
    sinkHolds(sink, other.frames);
    follower.start();
    await settle();
    expect(sink.resets).toBe(1);
  });

  it('empties the sink when core comes back with another log, or with less of the same', async () => {
    const { log, server, sink, follower, settle } = await world({ frames: 30 });
    follower.start();
    await settle();
    const other = new SampleLog('other');
    other.append({ events: 3 });
    server.log = other;
    server.cutAll();
    await settle();
    server.log = log;
    server.cutAll();
    await settle();
    const restored = new SampleLog('first');
    for (const frame of log.frames.slice(0, 5)) restored.frames.push(frame);
    server.log = restored;
    server.cutAll();
    await settle();
    expect(sink.resets).toBe(3);
  });

  it('empties the sink when the same log went on differently behind a position it holds', async () => {
    const { log, server, sink, follower, settle } = await world({ frames: 30 });
    follower.start();
    await settle();
    const restored = new SampleLog('first');
    for (const frame of log.frames.slice(0, 20)) restored.frames.push(frame);
    for (let i = 0; i < 30; i++) restored.append({ events: 2, payloadBytes: 99 });
    server.log = restored;
    server.cutAll();
    await settle();
    expect(sink.resets).toBe(1);
  });

  it('tries a sink that throws again with the same frames, and says so meanwhile', async () => {
    const { sink, follower, settle } = await world({ frames: 30 });
    let throws = 3;
    sink.beforeApply = () => {
      if (throws-- > 0) throw new Error('the disk is full');
    };
    const faults: (string | null)[] = [];
    follower.start();
    await until(() => {
      faults.push(follower.status.fault);
      return sink.appliedPosition > 0;
    });
    await settle();
    expect(faults).toContain('the disk is full');
    expect(sink.applyCalls).toBeGreaterThan(3);
  });

  it('waits for the running apply when it is closed, and answers those who wait', async () => {
    const { sink, follower } = await world({ frames: 30 });
    let isDone = false;
    sink.beforeApply = async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      isDone = true;
    };
    follower.start();
    await until(() => sink.applyCalls > 0);
    const waited = follower.waitFor(position(1_000), WAIT_MS);
    await Promise.all([follower.close(), follower.close()]);
    expect(isDone).toBe(true);
    expect(await waited).toBe(false);
    await expect(follower.coreHead()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it('lets a sink that is slower than the feed hold back the feed, without a reconnect', async () => {
    const { log, server, sink, follower, settle } = await world({ timers: systemTimers });
    for (let i = 0; i < 80; i++) log.append({ events: 1, payloadBytes: 900_000 });
    sink.beforeApply = () =>
      new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    follower.start();
    await settle();
    expect(server.feedRequests).toBe(1);
  });
});

describe('a filtered follower', () => {
  it('sees system frames only and moves over the others', async () => {
    const { log, server, follower, settle } = await world({ frames: 500, only: 'system' });
    follower.start();
    await settle();
    log.append({ events: 9 });
    server.notice();
    await settle();
    expect(follower.status.appliedPosition).toBe(log.head);
  });

  it('brings a reader to the head without waiting for the next head notice', async () => {
    const { log, server, sink, follower } = await world({ frames: 20, only: 'system' });
    follower.start();
    await until(() => sink.appliedPosition === log.head);
    server.notice = () => {};
    log.append({ events: 1, isSystem: true });
    log.append({ events: 3 });
    const head = await follower.coreHead();
    expect(await follower.waitFor(head, WAIT_MS)).toBe(true);
    expect(sink.faults).toEqual([]);
    expect(sink.frames).toHaveLength(5);
  });
});

describe('the head of core', () => {
  it('is asked for once for all who wait, and never taken from a request that left before', async () => {
    // In fast time a machine that stands still for a moment has a question asked again.
    const { log, server, follower } = await world({ frames: 3, timers: systemTimers });
    const released = deferred<void>();
    server.beforeHead = () => released.promise;
    const first = follower.coreHead();
    await until(() => server.headRequests === 1);
    const later = Array.from({ length: 100 }, () => follower.coreHead());
    server.beforeHead = () => Promise.resolve();
    const before = log.head;
    released.resolve();
    expect(await first).toBe(before);
    log.append({ events: 5 });
    expect(new Set(await Promise.all(later))).toEqual(new Set<Position>([position(log.head)]));
    expect(server.headRequests).toBe(2);
  });

  it('is a problem when core does not answer', async () => {
    const { server, follower } = await world();
    await server.close();
    await expect(follower.coreHead()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });

  it('of another log than the read store holds is no head to wait for', async () => {
    const { sink, follower } = await world({ frames: 3 });
    const other = new SampleLog('other');
    other.append({ events: 100 });
    sinkHolds(sink, other.frames);
    await expect(follower.coreHead()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  });
});

describe('those who wait for a position', () => {
  it('are woken in thousands, or told in time that it did not come', async () => {
    const { log, follower } = await world({ frames: 100 });
    const waiting = Array.from({ length: 5_000 }, (_, i) =>
      follower.waitFor(position((i % log.head) + 1), WAIT_MS),
    );
    const inVain = follower.waitFor(position(log.head + 1), 200);
    follower.start();
    expect((await Promise.all(waiting)).every(Boolean)).toBe(true);
    expect(await inVain).toBe(false);
  });
});

function sinkHolds(sink: RecordingSink, frames: readonly Frame[]): void {
  for (const frame of frames) {
    const { position: first, lastPosition, checksum } = frame;
    sink.frames.push({ position: first, lastPosition, checksum });
    sink.appliedPosition = lastPosition;
    sink.logId = frame.logId.toString('hex');
  }
}

function disturbed(frames: Frame[], random: () => number): Frame[] {
  const doubled = frames.flatMap((frame) => (random() < 0.3 ? [frame, frame] : [frame]));
  const from = Math.floor(random() * doubled.length);
  const [moved] = doubled.splice(from, 1);
  if (moved !== undefined) doubled.splice(Math.floor(random() * doubled.length), 0, moved);
  return doubled;
}
