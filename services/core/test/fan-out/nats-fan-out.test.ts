import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, until } from '@allsource/testkit';
import { createLogFollower, type FrameSink } from '@allsource/service-kit/feed';
import { createApp, createGuard } from '@allsource/service-kit/http';
import { createLogger, HttpMetrics } from '@allsource/service-kit/observability';
import { AccessDirectory, Authenticator, resolveTenant } from '@allsource/shared/access';
import { POSITION_ZERO, position } from '@allsource/shared/model';
import {
  COMMITS_SUBJECT,
  decodeSingleFeedMessage,
  type FeedMessage,
  type Frame,
} from '@allsource/shared/protocol';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { findNats, type NatsServer, startNats } from '../../../../tests/support/nats-server.ts';
import { registerFanOutMetrics } from '../../src/fan-out/fan-out-metrics.ts';
import { NatsFanOut } from '../../src/fan-out/nats-fan-out.ts';
import { CommitFeed } from '../../src/feed/commit-feed.ts';
import { feedRoutes, HeadAnswer } from '../../src/http/feed-routes.ts';
import { MemoryLog } from '../support/memory-log.ts';

const WAIT_MS = 120_000;
const TOKEN = 'a-token-of-the-tests';
const logger = createLogger('test', 'silent');
const source = findNats();
const describeWithNats = source.kind === 'none' ? describe.skip : describe;
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

async function nats(payloadBytesMax = 1_048_576): Promise<NatsServer> {
  if (source.kind === 'none') throw new Error(source.reason);
  const server = await startNats(source, { payloadBytesMax });
  cleanups.add(() => server.close());
  return server;
}

async function client(server: NatsServer): Promise<NatsConnection> {
  const connection = await connect({ servers: server.url, reconnect: false });
  cleanups.add(() => connection.close());
  return connection;
}

/** Bodies that arrive on a subject, as they come. */
async function listenTo(connection: NatsConnection, subject: string) {
  const heard: { subject: string; body: Buffer; id: string; position: string }[] = [];
  connection.subscribe(subject, {
    callback: (_error, message) => {
      heard.push({
        subject: message.subject,
        body: Buffer.from(message.data),
        id: message.headers?.get('Nats-Msg-Id') ?? '',
        position: message.headers?.get('Allsource-Position') ?? '',
      });
    },
  });
  await connection.flush();
  return heard;
}

function fanOut(log: MemoryLog, natsUrl: string, publishEvents = false): NatsFanOut {
  const started = new NatsFanOut({ log, natsUrl, publishEvents, logger });
  cleanups.add(() => started.close());
  started.start();
  return started;
}

/** Core's own feed routes over the log, and a follower of them that listens to NATS. */
async function follow(log: MemoryLog, natsUrl: string) {
  const feed = new CommitFeed(log);
  const directory = new AccessDirectory();
  const authenticator = new Authenticator({
    directory,
    jwtSecret: null,
    devTenant: null,
    nowMs: Date.now,
  });
  const app = createApp({
    edge: 'core',
    routes: feedRoutes({ feed, head: new HeadAnswer(log, null) }),
    guard: createGuard({ authenticator, internalToken: TOKEN }),
    resolveTenant: (principal, requested) => resolveTenant(principal, requested, directory),
    logger,
    metrics: new HttpMetrics('test'),
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const sink = checksumSink();
  const follower = createLogFollower({
    coreUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    internalToken: TOKEN,
    sink,
    natsUrl,
    logger,
  });
  follower.start();
  cleanups.add(async () => {
    await follower.close();
    await feed.close();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return { sink, follower };
}

function checksumSink() {
  const checksums: number[] = [];
  let appliedPosition = POSITION_ZERO;
  let logId: string | null = null;
  const sink: FrameSink = {
    get appliedPosition() {
      return appliedPosition;
    },
    get logId() {
      return logId;
    },
    apply: (frames, id) => {
      for (const frame of frames) {
        checksums.push(frame.checksum);
        appliedPosition = frame.lastPosition;
      }
      logId = id;
    },
    advance: (to) => {
      appliedPosition = to;
    },
    reset: () => {
      checksums.length = 0;
      appliedPosition = position(0);
      logId = null;
    },
  };
  return Object.assign(sink, { checksums });
}

/** The feed messages of a log among what was heard: on a shared server others may publish too. */
function messagesOf(log: MemoryLog, heard: readonly { readonly body: Buffer }[]): FeedMessage[] {
  return heard.flatMap(({ body }) => {
    try {
      const message = decodeSingleFeedMessage(body);
      const logId = message.kind === 'frame' ? message.frame.logId : message.logId;
      return logId.equals(log.logId) ? [message] : [];
    } catch {
      return [];
    }
  });
}

const checksum = (frame: Frame) => frame.checksum;

describeWithNats('fan-out over NATS', () => {
  it('publishes each frame as it is, in order, and a head notice for one that is too large', async () => {
    const server = await nats(100_000);
    const heard = await listenTo(await client(server), COMMITS_SUBJECT);
    const log = new MemoryLog();
    const out = fanOut(log, server.url);
    await until(() => out.status.isConnected);
    for (let i = 0; i < 500; i++) log.append('acme', [{}, {}]);
    const large = log.append('acme', [{ payload: JSON.stringify('x'.repeat(200_000)) }]);
    log.append('acme', [{}]);
    await until(() => messagesOf(log, heard).length === log.frames.length);
    // A server that is not ours to configure may take the large frame too.
    const isTooLarge = source.kind === 'binary';
    const messages = messagesOf(log, heard);
    expect(messages.filter(({ kind }) => kind === 'head')).toHaveLength(isTooLarge ? 1 : 0);
    expect(messages.flatMap((m) => (m.kind === 'frame' ? [m.frame.checksum] : []))).toEqual(
      log.frames.filter((frame) => frame !== large || !isTooLarge).map(checksum),
    );
    expect(out.status).toMatchObject(
      isTooLarge
        ? { publishedFrames: 501, notices: 1, droppedFrames: 1 }
        : { publishedFrames: 502, notices: 0, droppedFrames: 0 },
    );
  });

  it('publishes events on subjects of their own only when asked to, and never system events', async () => {
    const server = await nats();
    const heard = await listenTo(await client(server), 'allsource.events.>');
    const quiet = new MemoryLog();
    const out = fanOut(quiet, server.url);
    const log = new MemoryLog();
    const loud = fanOut(log, server.url, true);
    await until(() => out.status.isConnected && loud.status.isConnected);
    quiet.append('hush', [{ type: 'not.heard' }]);
    await log.appendSystem('acme', [
      { entity: 'key:x', event: { type: '_system.api_key.revoked', payload: { id: 'x' } } },
    ]);
    const frame = log.append('acme', [
      { type: 'order.placed', entity: 'o-1', payload: '{"n":1.10}' },
      { type: 'order.paid', entity: 'o-2', metadata: '{"by":"me"}' },
    ]);
    await until(() => heard.length === 2);
    const [placed, paid] = [...frame.events()];
    expect(heard.map(({ subject }) => subject)).toEqual([
      `allsource.events.acme.${placed?.partition}.order.placed`,
      `allsource.events.acme.${paid?.partition}.order.paid`,
    ]);
    expect(heard[0]).toMatchObject({ id: placed?.id, position: '2' });
    expect(heard[0]?.body.toString()).toContain('"payload":{"n":1.10}');
    expect(loud.status.publishedEvents).toBe(2);
  });

  it('and a follower: nothing is lost, repeated or reordered while NATS stops and comes back empty', async () => {
    const server = await nats();
    const log = new MemoryLog();
    const out = fanOut(log, server.url);
    const { sink, follower } = await follow(log, server.url);
    await until(() => out.status.isConnected);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) log.append('acme', [{}, {}, {}]);
      await until(() => sink.appliedPosition === log.head);
      await server.stop();
      await until(() => !out.status.isConnected);
      for (let i = 0; i < 200; i++) log.append('acme', [{}]);
      if (round > 0) await until(() => sink.appliedPosition === log.head);
      await server.start();
      await until(() => out.status.isConnected);
    }
    const head = await follower.coreHead();
    expect(await follower.waitFor(head, WAIT_MS)).toBe(true);
    expect(sink.checksums).toEqual(log.frames.map(checksum));
    expect(out.status.droppedFrames).toBeGreaterThanOrEqual(600);
  });

  it('owes one head notice for all that it did not publish while NATS was away', async () => {
    const server = await nats();
    const log = new MemoryLog();
    const out = fanOut(log, server.url);
    await until(() => out.status.isConnected);
    await server.stop();
    await until(() => !out.status.isConnected);
    for (let i = 0; i < 50; i++) log.append('acme', [{}]);
    await server.start();
    await until(() => out.status.isConnected && out.status.notices > 0);
    expect(out.status).toMatchObject({
      notices: 1,
      droppedFrames: 50,
      queuedBytes: 0,
      fault: null,
    });
  });
});

describe('fan-out to a NATS that does not do its part', () => {
  it('says why when the server cannot be reached, and goes on', async () => {
    const log = new MemoryLog();
    const out = fanOut(log, 'nats://127.0.0.1:1');
    log.append('acme', [{}]);
    await until(() => out.status.fault !== null && /refused/.test(out.status.fault));
    expect(out.status).toMatchObject({ isConnected: false, droppedFrames: 1, publishedFrames: 0 });
  });

  it('keeps a bounded queue when the server takes nothing more, and shows it in the metrics', async () => {
    const server = await stuckNats();
    const log = new MemoryLog();
    const out = fanOut(log, server);
    await until(() => out.status.isConnected);
    const payload = JSON.stringify('x'.repeat(500_000));
    for (let i = 0; i < 80; i++) {
      log.append('acme', [{ payload }]);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(out.status.droppedFrames).toBeGreaterThan(30);
    expect(out.status.queuedBytes).toBeLessThan(17 * 1024 * 1024);
    const metrics = new HttpMetrics('test');
    registerFanOutMetrics(metrics.registry, () => out.status);
    const text = await metrics.registry.metrics();
    expect(text).toContain(`allsource_nats_frames_dropped_total ${out.status.droppedFrames}`);
    expect(text).toContain('allsource_nats_connected 1');
  });
});

/** A server that greets, answers the first ping, and never reads or says anything again. */
async function stuckNats(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.write(
      'INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"headers":true}\r\n',
    );
    socket.on('data', (chunk) => {
      if (!chunk.includes('PING')) return;
      socket.write('PONG\r\n');
      socket.pause();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanups.add(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
