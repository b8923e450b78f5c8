import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CircuitOpenError,
  type ClientOptions,
  ClosedError,
  ConnectionError,
  CoreClient,
  InvalidArgumentError,
  QueryClient,
  QueryEventsParams,
  RateLimitedError,
  type RetryNotice,
  TimeoutError,
  VersionConflictError,
} from '../src/index.ts';
import { cut, json, ScriptedServer, silence } from './scripted-server.ts';

let server: ScriptedServer;
let url: string;
beforeEach(async () => {
  server = new ScriptedServer();
  url = await server.start();
});
afterEach(() => server.stop());

type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };

const APPENDED = { event_id: 'e-1', timestamp: '2026-01-01T00:00:00Z', version: 3 };
const EVENT = { eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } } as const;
const QUICK = { delayMsMin: 1, delayMsMax: 20 };
const unavailable = json(503, { code: 'starting', detail: 'Wait.', retryable: true });

function core(options: Partial<ClientOptions> = {}): CoreClient<Events> {
  return new CoreClient<Events>({ url, apiKey: 'ask_key', retry: QUICK, ...options });
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new TypeError('the call did not fail');
}

describe('a call that fails for a passing reason', () => {
  it('is made four times in all, an append each time under the same key, and then fails with the last reason', async () => {
    server.script(cut, unavailable, unavailable, json(429, { error: 'slow down' }));
    const notices: RetryNotice[] = [];
    const failure = await failureOf(
      core({ onRetry: (notice) => notices.push(notice) }).ingestEvent(EVENT),
    );
    expect(failure).toBeInstanceOf(RateLimitedError);
    expect(notices.map(({ error }) => error.code)).toEqual(['unreachable', 'starting', 'starting']);
    expect(server.seen).toHaveLength(4);
    expect(new Set(server.seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(server.seen[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('succeeds when the store comes back, whatever the route', async () => {
    server.script(unavailable, json(200, { projection: 'p', entity_id: 'x', saved: true }));
    await core().putProjectionState('p', { entityId: 'x', state: { n: 1 } });
    expect(server.seen.map(({ method }) => method)).toEqual(['PUT', 'PUT']);
  });

  it('waits for as long as the store asks, and reports an outage that is longer than its time at once', async () => {
    server.script(json(429, { error: 'x' }, { 'retry-after': '0.03' }), json(200, APPENDED));
    const notices: RetryNotice[] = [];
    const client = core({ onRetry: (notice) => notices.push(notice) });
    await client.ingestEvent(EVENT);
    expect(notices[0]?.delayMs).toBeGreaterThanOrEqual(30);
    server.script(json(429, { error: 'x' }, { 'retry-after': '3600' }));
    expect(await failureOf(client.ingestEvent(EVENT))).toMatchObject({ retryAfterMs: 3_600_000 });
    expect(notices).toHaveLength(1);
  });

  it('reads a Retry-After that is a date', async () => {
    const inTheFuture = new Date(Date.now() + 7_200_000).toUTCString();
    server.script(json(503, { code: 'starting' }, { 'retry-after': inTheFuture }));
    const failure = await failureOf(core().ingestEvent(EVENT));
    expect((failure as RateLimitedError).retryAfterMs).toBeGreaterThan(7_000_000);
  });

  it('is not made again with retry: false', async () => {
    server.script(unavailable);
    await failureOf(core({ retry: false }).ingestEvent(EVENT));
    expect(server.seen).toHaveLength(1);
  });
});

describe('the circuit of a client', () => {
  it('counts every try, opens in the middle of a call, and 4xx never open it', async () => {
    server.script(json(422, { code: 'invalid_body', detail: 'no' }));
    const client = core({ breaker: { failuresMax: 5 } });
    for (let i = 0; i < 8; i += 1) await failureOf(client.ingestEvent(EVENT));
    expect(server.seen).toHaveLength(8);
    server.script(unavailable);
    await failureOf(client.ingestEvent(EVENT));
    expect(await failureOf(client.ingestEvent(EVENT))).toBeInstanceOf(CircuitOpenError);
    expect(await failureOf(client.ingestEvent(EVENT))).toBeInstanceOf(CircuitOpenError);
    expect(server.seen).toHaveLength(8 + 5);
  });
});

describe('a failure', () => {
  it('of an expected version carries both versions and the place in the batch, and is not tried again', async () => {
    const conflict = { error: 'version_conflict', expected_version: 1, current_version: 4 };
    server.script(json(409, conflict, { 'conflict-index': '2' }));
    const failure = await failureOf(core().ingestBatch([EVENT]));
    expect(failure).toBeInstanceOf(VersionConflictError);
    expect(failure).toMatchObject({ expectedVersion: 1, currentVersion: 4, index: 2 });
    expect(server.seen).toHaveLength(1);
  });

  it('to make JSON or a time of what is given is an InvalidArgumentError, and nothing is sent', async () => {
    const itself: Record<string, unknown> = {};
    itself['itself'] = itself;
    const never = new Date(Number.NaN);
    const untyped = new CoreClient({ url, retry: QUICK });
    const query = new QueryClient({ url, retry: QUICK });
    const calls = [
      untyped.ingestEvent({ ...EVENT, payload: { total: 42n } }),
      untyped.ingestBatch([{ ...EVENT, payload: itself }]),
      untyped.ingestEvent({ ...EVENT, timestamp: never }),
      untyped.putProjectionState('p', { entityId: 'e', state: itself }),
      query.queryEvents({ since: never }),
      query.queryEvents({ payload: { total: 42n } }),
      query.listEntities({ payload: itself }),
      query.getFrequency({ since: never, window: 'day' }),
    ];
    for (const call of calls) expect(await failureOf(call)).toBeInstanceOf(InvalidArgumentError);
    expect(server.seen).toEqual([]);
  });

  it('to answer in time is a TimeoutError, per client or per call', async () => {
    server.script(silence);
    expect(
      await failureOf(core({ timeoutMs: 20, retry: false }).ingestEvent(EVENT)),
    ).toBeInstanceOf(TimeoutError);
    expect(
      await failureOf(core({ retry: false }).getConsumer('c', { timeoutMs: 20 })),
    ).toBeInstanceOf(TimeoutError);
  });

  it('by the caller throws his reason, before, during and between tries', async () => {
    server.script(silence);
    const reason = new Error('no longer wanted');
    expect(await failureOf(core().getConsumer('c', { signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    );
    const during = new AbortController();
    const call = failureOf(core().getConsumer('c', { signal: during.signal }));
    setTimeout(() => during.abort(reason), 10);
    expect(await call).toBe(reason);
    server.script(unavailable);
    const between = new AbortController();
    const retry = { delayMsMin: 60_000, delayMsMax: 60_000, forMs: 600_000 };
    const waiting = core({ retry, onRetry: () => between.abort(reason) });
    expect(await failureOf(waiting.getConsumer('c', { signal: between.signal }))).toBe(reason);
  });

  it('of a closed client is a ClosedError, also for the calls under way', async () => {
    server.script(silence);
    let call: Promise<Error>;
    {
      await using client = core();
      call = failureOf(client.getConsumer('c'));
    }
    expect(await call).toBeInstanceOf(ClosedError);
    const client = core();
    client.close();
    expect(await failureOf(client.getConsumer('c'))).toBeInstanceOf(ClosedError);
  });

  it('to connect is a ConnectionError, and an address that is none is refused before', async () => {
    await server.stop();
    expect(await failureOf(core({ retry: false }).getConsumer('c'))).toBeInstanceOf(
      ConnectionError,
    );
    expect(() => core({ url: 'localhost:3900' })).toThrow(InvalidArgumentError);
    server = new ScriptedServer();
    await server.start();
  });
});

describe('a query', () => {
  it('sends what the builder says, and builders are not changed by their steps', async () => {
    server.script(json(200, { events: [], count: 0, total_count: 0, has_more: false }));
    const query = new QueryClient<Events>({ url });
    const base = new QueryEventsParams<Events>().entityId('a b').limit(10);
    await query.queryEvents(base.eventType('order.paid').payload({ by: 'card' }).order('desc'));
    await query.queryEvents(base.since(new Date('2026-01-01T00:00:00Z')));
    const without = new QueryEventsParams<Events>().excludeEventTypePrefixes('a.', 'b.');
    await query.queryEvents(without.eventual());
    const then = '2026-01-01T00:00:00Z';
    await query.queryEvents(base.asOf(then).asOfRecorded(new Date(then)).minPosition(7));
    expect(server.seen.map((request) => decodeURIComponent(request.url))).toEqual([
      '/api/v1/events/query?entity_id=a+b&event_type=order.paid&payload_filter={"by":"card"}&order=desc&limit=10',
      '/api/v1/events/query?entity_id=a+b&since=2026-01-01T00:00:00.000Z&limit=10',
      '/api/v1/events/query?exclude_event_type_prefix=a.,b.&limit=100&consistency=eventual',
      '/api/v1/events/query?entity_id=a+b&as_of=2026-01-01T00:00:00Z&as_of_recorded=2026-01-01T00:00:00.000Z&limit=10&min_position=7',
    ]);
  });

  it('creates, changes, commands and deletes projections, each asked once', async () => {
    const row = {
      name: 'p q',
      type: 'event_counter',
      status: 'created',
      lag_events: 3,
      is_stalled: true,
    };
    server.script(
      json(201, { projection: row, data: row }),
      json(200, { projection: 'p q', status: 'paused', data: row }),
      json(202, { projection: 'p q', status: 'rebuilding' }),
      json(200, { projection: 'p q', deleted: 'p q' }),
      unavailable,
    );
    const query = new QueryClient({ url, retry: QUICK });
    const created = await query.createProjection({
      name: 'p q',
      type: 'event_counter',
      eventTypes: ['order.*'],
      config: { batchSize: 10 },
      onFault: { policy: 'skip' },
      start: true,
    });
    expect(created).toMatchObject({ status: 'created', lagEvents: 3, isStalled: true });
    await query.updateProjection('p q', { description: 'd' });
    await query.commandProjection('p q', 'rebuild');
    await query.deleteProjection('p q');
    await failureOf(query.commandProjection('p q', 'rollback'));
    expect(server.seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/projections',
      'PUT /api/v1/projections/p%20q',
      'POST /api/v1/projections/p%20q/rebuild',
      'DELETE /api/v1/projections/p%20q',
      'POST /api/v1/projections/p%20q/rollback',
    ]);
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
      name: 'p q',
      type: 'event_counter',
      event_types: ['order.*'],
      config: { batch_size: 10 },
      on_fault: { policy: 'skip' },
      start: true,
    });
    expect(JSON.parse(server.seen[1]?.body ?? '')).toEqual({ description: 'd' });
  });
});
