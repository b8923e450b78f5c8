import { afterEach, describe, expect, it } from '@jest/globals';
import { deferred } from '@allsource/shared/lang';
import { RawConnection } from '@allsource/testkit';
import { KEYS, TestCore, type TestCoreOptions } from '../support/test-core.ts';
import { StreamClient, type StreamTarget } from './stream-client.ts';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

function upTo(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function numbered(n: number, type = 'test.event') {
  return { type, entity: `entity-${n % 20}`, payload: `{"n":${n}}` };
}

/** An event of 20 KB. */
function large(n: number) {
  return { payload: `{"n":${n},"text":"${'x'.repeat(20_000)}"}` };
}

let core: TestCore;
const clients: StreamClient[] = [];

async function start(options: TestCoreOptions = {}): Promise<void> {
  core = await TestCore.start(options);
}

async function open(target: StreamTarget = {}): Promise<StreamClient> {
  const client = await StreamClient.open(core, { headers: bearer(KEYS.acme), ...target });
  clients.push(client);
  return client;
}

async function register(id: string, filters: string[] = [], key: string = KEYS.acme) {
  const body = { consumer_id: id, event_type_filters: filters };
  await core.ask(key, 'POST /api/v1/consumers', { body });
}

/** Resolves when the server has sent everything that was appended so far: a marker event has come. */
async function settle(client: StreamClient, type = 'settle.marker'): Promise<void> {
  const before = client.live.filter(({ event_type }) => event_type === type).length;
  core.log.append('acme', [{ type, payload: '{}' }]);
  await client.until(
    ({ live }) => live.filter(({ event_type }) => event_type === type).length > before,
  );
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await core.close();
});

describe('the event stream', () => {
  it('sends live events bare, without type and position, and nothing that was there before', async () => {
    await start();
    core.log.append('acme', [numbered(0)]);
    const client = await open();
    const payload = '{"n":1.0,"big":12345678901234567890}';
    let raw = '';
    client.socket.once('message', (data: Buffer) => {
      raw = data.toString('utf8');
    });
    core.log.append('acme', [{ entity: 'e', payload, metadata: '{"m":1}' }]);
    await client.until(({ frames }) => frames.length === 1);
    expect(raw).toContain(`"payload":${payload}`);
    expect(client.frames[0]).toMatchObject({
      event_type: 'test.event',
      entity_id: 'e',
      tenant_id: 'acme',
      version: 1,
      metadata: { m: 1 },
    });
    expect(client.frames[0]).not.toHaveProperty('type');
    expect(client.frames[0]).not.toHaveProperty('position');
  });

  it('replays what a consumer missed, then says so, then goes on: each event once and in order', async () => {
    await start();
    for (let i = 0; i < 1_000; i++)
      core.log.append('acme', [numbered(3 * i), numbered(3 * i + 1), numbered(3 * i + 2)]);
    const client = await open({ query: '?consumer_id=worker' });
    for (let i = 3_000; i < 8_000; i++) {
      core.log.append(i % 10 === 9 ? 'globex' : 'acme', [numbered(i)]);
      if (i % 11 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await settle(client);
    const mine = upTo(8_000).filter((n) => n < 3_000 || n % 10 !== 9);
    expect(client.numbers.slice(0, -1)).toEqual(mine);
    expect(client.replayComplete).toMatchObject({ replayed: 3_000 });
    expect(client.replay.map(({ position }) => position)).toEqual(upTo(3_000, core.start + 1));
    const complete = client.frames.findIndex(({ type }) => type === 'replay_complete');
    expect(complete).toBe(3_000);
    expect(client.frames.slice(complete + 1).every(({ type }) => type === undefined)).toBe(true);
  });

  it('always says that the replay is complete, also of nothing', async () => {
    await start();
    const client = await open({ query: '?consumer_id=worker' });
    await client.until(({ frames }) => frames.length > 0);
    expect(client.frames).toEqual([{ type: 'replay_complete', replayed: 0 }]);
  });

  it('resumes a consumer behind its cursor, with its registered filters', async () => {
    await start();
    await register('worker', ['order.*', 'exact.type']);
    const frame = core.log.append('acme', [
      numbered(0, 'order.placed'),
      numbered(1, 'order.paid'),
      numbered(2, 'exact.type'),
      numbered(3, 'exact.type.not'),
      numbered(4, 'order'),
    ]);
    await core.ask(KEYS.acme, 'POST /api/v1/consumers/worker/ack', {
      body: { position: frame.position },
    });
    const client = await open({ query: '?consumer_id=worker' });
    await client.until(({ replayComplete }) => replayComplete !== undefined);
    expect(client.replay.map(({ event }) => event?.['payload'])).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 4 },
    ]);
    core.log.append('acme', [numbered(5, 'noise'), numbered(6, 'order.sent')]);
    await client.until(({ live }) => live.length === 1);
    expect(client.live[0]).toMatchObject({ event_type: 'order.sent' });
  });

  it('takes subscribe frames while a replay runs, without disturbing it', async () => {
    await start();
    const gate = deferred<void>();
    await register('worker', ['test.*']);
    for (let i = 0; i < 500; i++) core.log.append('acme', [numbered(i)]);
    core.log.beforeRead = () => gate.promise;
    const client = await open({ query: '?consumer_id=worker' });
    client.send({ type: 'subscribe', filters: ['asset.*'] });
    // The answer to a ping comes behind the subscribe frame, so the server has taken it by then.
    await new Promise<void>((resolve) => {
      client.socket.once('pong', () => resolve());
      client.socket.ping();
    });
    core.log.append('acme', [numbered(500), numbered(501, 'asset.moved')]);
    gate.resolve();
    await client.until(({ live }) => live.length === 1);
    expect(client.replayComplete).toMatchObject({ replayed: 500 });
    expect(client.live[0]).toMatchObject({ event_type: 'asset.moved' });
  });

  it('follows both forms of subscribe frames, and ignores everything else', async () => {
    await start();
    const client = await open();
    const seenWith = async (frame: unknown): Promise<string[]> => {
      client.send(frame);
      await new Promise<void>((resolve) => {
        client.socket.once('pong', () => resolve());
        client.socket.ping();
      });
      const before = client.live.length;
      core.log.append('acme', [
        { type: 'asset.moved', entity: 'a' },
        { type: 'asset', entity: 'a' },
        { type: 'trade.placed', entity: 'b' },
        { type: 'trade.placed', entity: 'a' },
        { type: 'tradeoff', entity: 'c' },
      ]);
      core.log.append('globex', [{ type: 'asset.moved', entity: 'a' }]);
      // What every filter lets through comes last, so that the end of the answer is known.
      client.send({ type: 'subscribe', filters: [] });
      await new Promise<void>((resolve) => {
        client.socket.once('pong', () => resolve());
        client.socket.ping();
      });
      await settle(client);
      return client.live
        .slice(before, -1)
        .map(({ event_type, entity_id }) => `${event_type} ${entity_id}`);
    };
    const all = ['asset.moved a', 'asset a', 'trade.placed b', 'trade.placed a', 'tradeoff c'];
    expect(await seenWith({ type: 'subscribe', filters: ['asset.*', 'trade.placed'] })).toEqual(
      all.slice(0, 4),
    );
    expect(await seenWith({ type: 'subscribe', filters: ['asset.'] })).toEqual(['asset.moved a']);
    expect(await seenWith({ type: 'subscribe', filters: ['*'] })).toEqual(all);
    expect(await seenWith({ entity_id: 'a', event_type: 'trade.placed' })).toEqual([
      'trade.placed a',
    ]);
    expect(await seenWith({ event_type_prefixes: ['trade'] })).toEqual(all.slice(2));
    expect(await seenWith({ entity_id: null, event_type: null })).toEqual(all);
    for (const ignored of [
      'nonsense',
      '[]',
      '{}',
      { type: 'subscribe' },
      { type: 'x', entity_id: 'a' },
      { entity_id: 7 },
    ])
      expect(await seenWith(ignored)).toEqual(all);
  });

  it('closes a subscription with too many filters, and a message over the limit', async () => {
    await start();
    const client = await open();
    client.send({ type: 'subscribe', filters: upTo(101).map((n) => `type.n${n}`) });
    await client.until(({ closeCode }) => closeCode !== null);
    expect(client).toMatchObject({ closeCode: 1008, closeReason: expect.stringContaining('100') });
    const another = await open();
    another.send('x'.repeat(70_000));
    await another.until(({ closeCode }) => closeCode !== null);
    expect(another.closeCode).toBe(1009);
  });

  it('shows a tenant neither the events of others nor those of the store', async () => {
    await start();
    const mine = await open();
    const theirs = await open({ headers: { 'x-api-key': KEYS.globex } });
    const asAdmin = await open({
      headers: bearer(KEYS.admin),
      query: '?tenant_id=globex&consumer_id=a',
    });
    await register('worker', ['a.*']);
    core.log.append('globex', [numbered(7)]);
    await theirs.until(({ live }) => live.length === 1);
    await asAdmin.until(({ live }) => live.length === 1);
    await settle(mine);
    expect(mine.live.map(({ event_type }) => event_type)).toEqual(['settle.marker']);
    await expect(open({ query: '?tenant_id=globex' })).rejects.toThrow(/^403 /);
  });

  it('finds consumers whose ids hold colons, slashes and spaces', async () => {
    await start();
    await register('a:b/c d', ['x']);
    core.log.append('acme', [{ type: 'x' }, { type: 'y' }]);
    const client = await open({ query: '?consumer_id=a%3Ab%2Fc%20d' });
    await client.until(({ replayComplete }) => replayComplete !== undefined);
    expect(client.replayComplete).toMatchObject({ replayed: 1 });
  });
});

describe('who may open the event stream', () => {
  it('is settled before the upgrade, with a problem as answer', async () => {
    await start();
    await expect(open({ headers: {} })).rejects.toThrow(/^401 .*"code":"unauthenticated"/);
    await expect(open({ headers: bearer('wrong') })).rejects.toThrow(/^401 /);
    await expect(open({ path: '/api/v1/other' })).rejects.toThrow(/^404 /);
    await expect(open({ query: `?consumer_id=${'x'.repeat(129)}` })).rejects.toThrow(/^400 /);
  });

  it.each([
    ['without a key', '', 'Sec-WebSocket-Key'],
    [
      'of another version',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 1\r\n',
      'Sec-WebSocket-Version',
    ],
  ])('is told what is wrong with a handshake %s', async (...[, lines, reason]) => {
    await start();
    const connection = await RawConnection.open(core.url);
    const { status, headers, body } = await connection.ask(
      `GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEYS.acme}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n${lines}\r\n`,
    );
    await connection.closed;
    expect([status, JSON.parse(body).code]).toEqual([400, 'malformed_request']);
    expect(JSON.parse(body).detail).toContain(reason);
    expect(headers.get('sec-websocket-version')).toBe('13');
  });

  it('includes an empty bearer for a consumer that one tenant has registered', async () => {
    await start();
    const target = { headers: { authorization: 'Bearer ' }, query: '?consumer_id=worker' };
    await expect(open(target)).rejects.toThrow(/^401 /);
    await register('worker');
    core.log.append('acme', [numbered(1)]);
    core.log.append('globex', [numbered(2)]);
    const client = await open(target);
    await client.until(({ replayComplete }) => replayComplete !== undefined);
    expect(client.numbers).toEqual([1]);
    await expect(open({ headers: { authorization: 'Bearer ' } })).rejects.toThrow(/^401 /);
    await expect(open({ headers: {}, query: '?consumer_id=worker' })).rejects.toThrow(/^401 /);
    await expect(
      open({ headers: { authorization: 'Bearer wrong' }, query: '?consumer_id=worker' }),
    ).rejects.toThrow(/^401 /);
    await register('worker', [], KEYS.globex);
    await expect(open(target)).rejects.toThrow(/^401 /);
  });

  it('excludes empty bearers where they are switched off', async () => {
    await start({ emptyBearerStreams: false });
    await register('worker');
    await expect(
      open({ headers: { authorization: 'Bearer' }, query: '?consumer_id=worker' }),
    ).rejects.toThrow(/^401 /);
  });

  it('excludes pages of other origins', async () => {
    await start();
    const headers = { ...bearer(KEYS.acme), origin: 'https://evil.example' };
    await expect(open({ headers })).rejects.toThrow(/^403 /);
    await expect(open({ headers: { ...headers, origin: 'null' } })).rejects.toThrow(/^403 /);
    await open({ headers: { ...headers, origin: `http://127.0.0.1:${core.port}` } });
  });

  it('is limited in number', async () => {
    await start({ connectionsMax: 2 });
    await open();
    const second = await open();
    await expect(open()).rejects.toThrow(/^503 .*too_many_connections/);
    second.close();
    while (core.connections.count > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await open();
  });
});

describe('the end of an event stream', () => {
  it('comes when its key expires or is revoked', async () => {
    await start({ tickMs: 20 });
    await core.addKey('expiring-key', 'acme', {
      role: 'readonly',
      expiresAtMs: core.nowMs + 60_000,
    });
    await core.addKey('revoked-key', 'acme', { role: 'readonly' });
    const expiring = await open({ headers: bearer('expiring-key') });
    const revoked = await open({ headers: bearer('revoked-key') });
    const staying = await open();
    core.nowMs += 60_000;
    await core.revokeKey('revoked-key');
    await expiring.until(({ closeCode }) => closeCode !== null);
    await revoked.until(({ closeCode }) => closeCode !== null);
    expect(expiring).toMatchObject({
      closeCode: 1008,
      closeReason: expect.stringContaining('expired'),
    });
    expect(revoked).toMatchObject({
      closeCode: 1008,
      closeReason: expect.stringContaining('revoked'),
    });
    await settle(staying);
  });

  it('is said with 1001 when the service stops', async () => {
    await start();
    const client = await open();
    await core.connections.close();
    await client.until(({ closeCode }) => closeCode !== null);
    expect(client.closeCode).toBe(1001);
    await expect(open()).rejects.toThrow(/^503 .*shutting_down/);
    expect(core.log.listenerCount).toBe(0);
  });

  it('is said with 1011 when the log cannot be read', async () => {
    await start();
    core.log.append('acme', [numbered(1)]);
    core.log.readFault = new RangeError('damaged');
    const client = await open({ query: '?consumer_id=worker' });
    await client.until(({ closeCode }) => closeCode !== null);
    expect(client.closeCode).toBe(1011);
  });

  it('comes to a client that answers no ping, and not to one that does', async () => {
    await start({ tickMs: 20, pacing: { pingMs: 60 } });
    const living = await open();
    const dead = await open();
    dead.socket.pause();
    await living.until(({ pings }) => pings >= 6);
    while (core.connections.count > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await settle(living);
    expect(living.closeCode).toBeNull();
  });
});

describe('a slow subscriber', () => {
  it('that takes what it is sent gets a burst whole, however large', async () => {
    await start();
    const client = await open();
    for (let i = 0; i < 3_000; i++) core.log.append('acme', [large(i)]);
    await client.until(({ frames }) => frames.length === 3_000);
    expect(client.numbers).toEqual(upTo(3_000));
  });

  it('that takes nothing gets the newest events in the end, and is told how many it missed', async () => {
    await start({ pacing: { slowMs: 50, socketBytesMax: 64 * 1024 } });
    const client = await open();
    client.socket.pause();
    const total = 5_000;
    for (let i = 0; i < total; i++) {
      core.log.append('acme', [large(i)]);
      if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // Turns of the event loop, which server and test share, and not a time: a slow machine needs as many.
    for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    client.socket.resume();
    await client.until(({ numbers }) => numbers.at(-1) === total - 1);
    const lagged = client.frames.filter(({ type }) => type === 'lagged');
    expect(lagged).toHaveLength(1);
    const missed = lagged[0]?.missed ?? 0;
    expect(missed).toBeGreaterThan(0);
    expect(client.live).toHaveLength(total - missed);
    const at = client.frames.findIndex(({ type }) => type === 'lagged');
    expect(client.numbers.slice(0, at)).toEqual(upTo(at));
    expect(client.numbers.slice(at)).toEqual(upTo(total - missed - at, at + missed));
    core.log.append('acme', [numbered(total)]);
    await client.until(({ numbers }) => numbers.at(-1) === total);
  });

  it('misses nothing of its replay, however long it takes', async () => {
    await start({ pacing: { slowMs: 20, socketBytesMax: 64 * 1024 } });
    for (let i = 0; i < 2_000; i++) core.log.append('acme', [large(i)]);
    const client = await open({ query: '?consumer_id=worker' });
    client.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(core.log.framesRead).toBeLessThan(1_500);
    client.socket.resume();
    await client.until(({ replayComplete }) => replayComplete !== undefined);
    expect(client.numbers).toEqual(upTo(2_000));
    expect(client.replayComplete).toMatchObject({ replayed: 2_000 });
  });
});
