import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, until } from '@allsource/testkit';
import { createLogger } from '@allsource/service-kit/observability';
import { position } from '@allsource/shared/model';
import { COMMITS_SUBJECT, encodeHeadNotice } from '@allsource/shared/protocol';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { findNats, type NatsServer, startNats } from '../../../../tests/support/nats-server.ts';
import { createLogFollower } from '../../src/feed/create-log-follower.ts';
import type { LogFollower } from '../../src/feed/log-follower.ts';
import { FeedServer, TOKEN } from './feed-server.ts';
import { RecordingSink } from './recording-sink.ts';
import { SampleLog, seededRandom } from './sample-log.ts';

const WAIT_MS = 120_000;
const source = findNats();
const describeWithNats = source.kind === 'none' ? describe.skip : describe;
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** A follower that takes nothing from NATS alone reads core in every one. */
const BURSTS_MAX = 5;

interface World {
  readonly nats: NatsServer;
  readonly log: SampleLog;
  readonly server: FeedServer;
  readonly sink: RecordingSink;
  readonly follower: LogFollower;
}

async function world(frames: number): Promise<World> {
  if (source.kind === 'none') throw new Error(source.reason);
  const log = new SampleLog('first');
  for (let i = 0; i < frames; i++) log.append({ events: 1 + (i % 3), isSystem: i % 5 === 0 });
  const nats = await startNats(source);
  const server = new FeedServer(log);
  await server.listen();
  const sink = new RecordingSink();
  const follower = createLogFollower({
    coreUrl: server.url,
    internalToken: TOKEN,
    sink,
    natsUrl: nats.url,
    logger: createLogger('test', 'silent'),
  });
  cleanups.add(
    () => nats.close(),
    () => server.close(),
    () => follower.close(),
  );
  return { nats, log, server, sink, follower };
}

async function publisher(nats: NatsServer): Promise<NatsConnection> {
  const connection = await connect({ servers: nats.url, reconnect: false });
  cleanups.add(() => connection.close());
  return connection;
}

async function settle({ log, sink, follower }: World): Promise<void> {
  await until(() => sink.appliedPosition === log.head && follower.status.fault === null);
  expect(sink.faults).toEqual([]);
  expect(sink.frames.map((frame) => frame.checksum)).toEqual(
    log.frames.map((frame) => frame.checksum),
  );
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Waits until the follower hears what is published, which shows in frames that no feed has brought. */
async function untilListening({ log, server, sink }: World, nats: NatsConnection): Promise<void> {
  for (;;) {
    const { feedRequests } = server;
    nats.publish(COMMITS_SUBJECT, log.append({ events: 1 }).bytes);
    await until(() => sink.appliedPosition === log.head);
    if (server.feedRequests === feedRequests) return;
  }
}

describeWithNats('a follower with NATS', () => {
  it('takes the past from core and what comes then from NATS alone', async () => {
    const here = await world(200);
    here.follower.start();
    await settle(here);
    const nats = await publisher(here.nats);
    await untilListening(here, nats);
    const burst = async () => {
      const { feedRequests } = here.server;
      for (let i = 0; i < 300; i++)
        nats.publish(COMMITS_SUBJECT, here.log.append({ events: 2 }).bytes);
      await settle(here);
      return here.server.feedRequests === feedRequests;
    };
    // Core is asked for its head each second, and read when that moment falls into a burst.
    let bursts = 1;
    while (!(await burst()) && bursts < BURSTS_MAX) bursts += 1;
    expect(bursts).toBeLessThan(BURSTS_MAX);
    expect(here.follower.status.hasCaughtUp).toBe(true);
  });

  it('loses, repeats and reorders nothing, whatever NATS delivers', async () => {
    const here = await world(50);
    here.follower.start();
    const nats = await publisher(here.nats);
    const random = seededRandom(11);
    const foreign = new SampleLog('other');
    let held = here.log.frames.slice(0, 3);
    for (let i = 0; i < 400; i++) {
      const frame = here.log.append({ events: 1 + Math.floor(random() * 3) });
      foreign.append({ events: 2 });
      const what = random();
      if (what < 0.2) held.push(frame);
      else if (what < 0.9) nats.publish(COMMITS_SUBJECT, frame.bytes);
      if (what > 0.6 && what < 0.7) nats.publish(COMMITS_SUBJECT, frame.bytes);
      if (what < 0.1) {
        for (const late of held.toReversed()) nats.publish(COMMITS_SUBJECT, late.bytes);
        held = held.slice(-2);
      }
      if (i % 20 === 0) publishNonsense(nats, here.log, foreign);
      if (i % 7 === 0) await pause(random() * 8);
    }
    await settle(here);
    expect(here.sink.resets).toBe(0);
  });

  it('follows core when NATS is stopped, and NATS again when it comes back empty', async () => {
    const here = await world(20);
    here.follower.start();
    await untilListening(here, await publisher(here.nats));
    await here.nats.stop();
    for (let i = 0; i < 50; i++) here.log.append({ events: 3 });
    await settle(here);
    await here.nats.start();
    for (let i = 0; i < 50; i++) here.log.append({ events: 1 });
    await untilListening(here, await publisher(here.nats));
    await settle(here);
    expect(here.sink.resets).toBe(0);
  });

  it('brings a waiting reader to the head though NATS says nothing', async () => {
    const here = await world(20);
    here.follower.start();
    await settle(here);
    here.log.append({ events: 3 });
    const head = await here.follower.coreHead();
    expect(await here.follower.waitFor(head, WAIT_MS)).toBe(true);
    await settle(here);
  });

  it('reads from core a frame that NATS announces only by a head notice', async () => {
    const here = await world(5);
    here.follower.start();
    await settle(here);
    const nats = await publisher(here.nats);
    await untilListening(here, nats);
    const large = here.log.append({ events: 1, payloadBytes: 2_000_000 });
    nats.publish(COMMITS_SUBJECT, encodeHeadNotice(large.lastPosition, here.log.logId));
    nats.publish(COMMITS_SUBJECT, here.log.append({ events: 1 }).bytes);
    await settle(here);
    expect(here.server.feedRequests).toBeGreaterThan(1);
  });

  it('tries a sink that fails again, with frames that NATS brought and with those of core', async () => {
    const here = await world(30);
    let failures = 2;
    here.sink.beforeApply = () => {
      if (failures-- > 0) throw new Error('the disk is full');
    };
    here.follower.start();
    await until(() => here.follower.status.fault === 'the disk is full');
    const nats = await publisher(here.nats);
    await untilListening(here, nats);
    failures = 1;
    nats.publish(COMMITS_SUBJECT, here.log.append({ events: 4 }).bytes);
    await settle(here);
    expect(failures).toBeLessThan(0);
  });

  it('takes core at its word when the log behind it is another one', async () => {
    const here = await world(30);
    here.follower.start();
    await settle(here);
    const other = new SampleLog('other');
    for (let i = 0; i < 10; i++) other.append({ events: 1 });
    here.server.log = other;
    await settle({ ...here, log: other });
    expect(here.sink.resets).toBe(1);
  });
});

/** What has no business on the subject: noise, halves, frames and heads of another log, frames and heads that no log has. */
function publishNonsense(nats: NatsConnection, log: SampleLog, foreign: SampleLog): void {
  const [frame] = foreign.frames.slice(-1);
  const forged = new SampleLog('first');
  for (let i = 0; i < log.frames.length + 3; i++) forged.append({ events: 1, payloadBytes: 3 });
  const bodies = [
    Buffer.from('garbage'),
    Buffer.alloc(0),
    Buffer.alloc(200),
    log.frames[0]?.bytes.subarray(0, 60) ?? Buffer.alloc(1),
    frame?.bytes ?? Buffer.alloc(1),
    encodeHeadNotice(position(10_000_000), log.logId),
    encodeHeadNotice(position(1), foreign.logId),
    ...forged.range(log.head, log.head + 4).map((lie) => lie.bytes),
  ];
  for (const body of bodies) nats.publish(COMMITS_SUBJECT, body);
}
