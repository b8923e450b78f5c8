import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AllSourceClient,
  type AllSourceClientOptions,
  AllSourceError,
  type RetryNotice,
  type PositionedEvent,
} from '../src/tools.ts';
import { cut, json, ScriptedServer, silence, stream } from './scripted-server.ts';

let server: ScriptedServer;
let url: string;
beforeEach(async () => {
  server = new ScriptedServer();
  url = await server.start();
});
afterEach(() => server.stop());

function client(options: Partial<AllSourceClientOptions> = {}): AllSourceClient {
  return new AllSourceClient({
    url: `${url}/`,
    apiKey: 'ask_key',
    retry: { forMs: 5_000, delayMsMin: 1, delayMsMax: 20 },
    ...options,
  });
}

const APPENDED = { event_id: 'e-1', timestamp: '2026-01-01T00:00:00Z', version: 3 };
const EVENT = { eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } };

function storedText(n: number, payload = '{}'): string {
  return `{"id":"e-${n}","event_type":"a.b","entity_id":"x","tenant_id":"t","payload":${payload},"timestamp":"2026-01-01T00:00:00Z","metadata":null,"version":${n}}`;
}

function page(events: string[], hasMore: boolean): ReturnType<typeof json> {
  const list = events.join(',');
  return json(200, `{"events":[${list}],"count":${events.length},"has_more":${hasMore}}`);
}

async function failureOf(call: Promise<unknown>): Promise<AllSourceError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof AllSourceError) return error;
    throw error;
  }
  throw new TypeError('the call did not fail');
}

function eventMessage(position: number): string {
  return `id: ${position}\ndata: ${storedText(position)}\n\n`;
}

async function take(count: number, tail: AsyncGenerator<PositionedEvent>): Promise<number[]> {
  const positions: number[] = [];
  for await (const { position } of tail) {
    positions.push(position);
    if (positions.length === count) break;
  }
  return positions;
}

describe('an append', () => {
  it('is tried again under the same idempotency key until it is answered', async () => {
    const unavailable = json(503, { code: 'starting', detail: 'Wait.', retryable: true });
    server.script(cut, unavailable, json(200, APPENDED));
    const notices: RetryNotice[] = [];
    const result = await client({ onRetry: (notice) => notices.push(notice) }).append(EVENT);
    expect(result).toEqual({
      events: [{ eventId: 'e-1', timestamp: APPENDED.timestamp, version: 3 }],
      isReplayed: false,
    });
    expect(notices.map((notice) => notice.error.code)).toEqual(['unreachable', 'starting']);
    const keys = new Set(server.seen.map((request) => request.headers['idempotency-key']));
    expect([keys.size, server.seen.length]).toEqual([1, 3]);
    expect(server.seen[0]?.headers.authorization).toBe('Bearer ask_key');
  });

  it('sends raw events byte for byte, and reads either form of the answer', async () => {
    const raw = '{"event_type":"a.b","entity_id":"x","payload":[1.0,12345678901234567890] }';
    server.script(
      json(201, { data: [APPENDED, APPENDED], count: 2 }, { 'idempotent-replayed': 'true' }),
      json(200, { total: 1, events: [APPENDED], data: [APPENDED] }),
      json(201, { data: APPENDED }),
    );
    const batch = await client().appendBatch([{ json: raw }, EVENT], { idempotencyKey: 'k-1' });
    expect([batch.events.length, batch.isReplayed]).toEqual([2, true]);
    expect(server.seen[0]?.headers['idempotency-key']).toBe('k-1');
    expect(server.seen[0]?.body).toBe(
      `{"events":[${raw},{"event_type":"order.placed","entity_id":"order-1","payload":{"total":42}}]}`,
    );
    expect((await client().appendBatch([{ json: Buffer.from(raw) }])).events).toHaveLength(1);
    expect((await client().append(EVENT)).events[0]?.version).toBe(3);
  });

  it('that meets another version fails at once, with the numbers', async () => {
    const conflict = { error: 'version_conflict', expected_version: 2, current_version: 5 };
    server.script(json(409, conflict));
    const failure = await failureOf(client().append({ ...EVENT, expectedVersion: 2 }));
    expect(failure).toMatchObject({
      code: 'version_conflict',
      status: 409,
      retryable: false,
      message: 'The entity is at version 5, not at the expected 2.',
    });
    expect(failure.problem?.['current_version']).toBe(5);
    expect(server.seen).toHaveLength(1);
  });
});

describe('a failure', () => {
  it('has a code and a sentence, in whatever form it comes', async () => {
    const answers: [Parameters<typeof json>[1], string, string][] = [
      [{ error: 'Invalid input: x', code: 'invalid_body', detail: 'x' }, 'invalid_body', 'x'],
      [{ error: { code: 'forbidden', message: 'No.' } }, 'forbidden', 'No.'],
      [{ error: 'not_available', message: 'Later.' }, 'not_available', 'Later.'],
      ['Bad thing', 'http_400', 'Bad thing'],
      ['', 'http_400', 'The server answered 400 without words.'],
    ];
    for (const [body, code, message] of answers) {
      server.script(json(400, body));
      expect(await failureOf(client().clusterStatus())).toMatchObject({ code, message });
    }
  });

  it('is reported when the budget for tries is spent, or when no answer comes in time', async () => {
    server.script(cut);
    const impatient = client({ retry: { forMs: 50, delayMsMin: 1, delayMsMax: 10 } });
    expect(await failureOf(impatient.clusterStatus())).toMatchObject({ code: 'unreachable' });
    expect(server.seen.length).toBeGreaterThan(1);
    server.script(silence);
    const slow = client({ timeoutMs: 50, retry: { forMs: 0 } });
    expect(await failureOf(slow.clusterStatus())).toMatchObject({ code: 'timeout', status: null });
  });

  it('is the answer that makes no sense, and the caller who gives up', async () => {
    server.script(json(200, '{"nodes":7}'));
    expect(await failureOf(client().clusterStatus())).toMatchObject({ code: 'bad_answer' });
    server.script(silence);
    const given = new AbortController();
    const call = client().clusterStatus({ signal: given.signal });
    given.abort(new RangeError('enough'));
    await expect(call).rejects.toBeInstanceOf(RangeError);
  });
});

describe('a query', () => {
  it('fetches pages as they are needed and keeps the text of every event', async () => {
    server.script(
      page([storedText(1, '[1.0]'), storedText(2)], true),
      page([storedText(3)], false),
    );
    const events = [];
    for await (const event of client().queryEvents({ entityId: 'a&b', pageSize: 2 }))
      events.push(event);
    expect(events.map((event) => event.version)).toEqual([1, 2, 3]);
    expect(events[0]?.json).toBe(storedText(1, '[1.0]'));
    expect(server.seen.map((request) => request.url)).toEqual([
      '/api/v1/events/query?entity_id=a%26b&limit=2&offset=0',
      '/api/v1/events/query?entity_id=a%26b&limit=2&offset=2',
    ]);
  });

  it('follow the cursors that the server names', async () => {
    server.script(
      json(200, `{"events":[${storedText(1)}],"has_more":true,"next_cursor":"c-1"}`),
      json(200, `{"events":[${storedText(2)}],"has_more":true,"next_cursor":"c-2"}`),
      json(200, `{"events":[],"has_more":false}`),
    );
    const events = [];
    for await (const event of client().queryEvents({ pageSize: 1 })) events.push(event.version);
    expect(events).toEqual([1, 2]);
    expect(server.seen.map((request) => request.url)).toEqual([
      '/api/v1/events/query?limit=1&offset=0',
      '/api/v1/events/query?limit=1&cursor=c-1',
      '/api/v1/events/query?limit=1&cursor=c-2',
    ]);
  });
});

describe('health', () => {
  it('is an answer also when it is bad', async () => {
    server.script(json(503, { status: 'unhealthy', service: 's', error: 'log: damaged' }));
    expect(await client().health()).toMatchObject({ status: 'unhealthy', fault: 'log: damaged' });
    server.script(json(502, 'Bad gateway'));
    expect(await failureOf(client().health())).toMatchObject({ status: 502 });
  });
});

describe('a tail', () => {
  it('goes on after a cut where it was, and drops what comes twice', async () => {
    server.script(
      stream(`retry: 1000\n: connected\n\nid: 4\n\n${eventMessage(5)}${eventMessage(6)}`, 'end'),
      cut,
      stream(eventMessage(6) + eventMessage(7), 'open'),
    );
    expect(await take(3, client().tail({ entityId: 'x' }))).toEqual([5, 6, 7]);
    expect(server.seen.map((request) => request.headers['last-event-id'])).toEqual([
      undefined,
      '6',
      '6',
    ]);
  });

  it('moves on over stretches in which nothing was meant for it', async () => {
    server.script(stream(`: heartbeat\n\nid: 90\n\n`, 'end'), stream(eventMessage(91), 'open'));
    expect(await take(1, client().tail({ afterPosition: 0 }))).toEqual([91]);
    expect(server.seen.map((request) => request.headers['last-event-id'])).toEqual(['0', '90']);
  });

  it('reads again what the server has dropped for a reader that was too slow', async () => {
    server.script(
      stream(`${eventMessage(1)}event: lagged\ndata: {"missed":3}\n\n${eventMessage(5)}`, 'open'),
      stream(eventMessage(2), 'open'),
    );
    expect(await take(2, client().tail({ afterPosition: 0 }))).toEqual([1, 2]);
  });

  it('ends when its signal aborts, and fails when the server refuses or stays away', async () => {
    server.script(stream(eventMessage(1), 'open'));
    const given = new AbortController();
    const positions = [];
    for await (const { position } of client().tail({ signal: given.signal })) {
      positions.push(position);
      given.abort();
    }
    expect(positions).toEqual([1]);
    server.script(json(401, { code: 'unauthenticated', detail: 'No key.' }));
    expect(await failureOf(take(1, client().tail()))).toMatchObject({ code: 'unauthenticated' });
    server.script(cut);
    const impatient = client({ retry: { forMs: 50, delayMsMin: 1, delayMsMax: 10 } });
    expect(await failureOf(take(1, impatient.tail()))).toMatchObject({ code: 'unreachable' });
  });
});
