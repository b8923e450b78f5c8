/** The TypeScript client against a real store, started as its users start it. */
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CoreClient,
  EventStreamClient,
  ProjectionWorker,
  QueryClient,
  UnauthenticatedError,
} from '@allsource/client';
import { WebSocket } from 'ws';
import { RunningStore } from '../support/running-store.ts';
import { storeCases } from '../support/store-cases.ts';

let store: RunningStore;
beforeAll(async () => {
  store = await RunningStore.start();
});
afterAll(() => store.remove());

function options() {
  return { url: store.url, apiKey: store.apiKey };
}

function clients() {
  return {
    core: new CoreClient({ ...options(), url: store.coreUrl }),
    query: new QueryClient(options()),
    stream: new EventStreamClient(options()),
  };
}

describe('a real store', () => {
  storeCases(clients);

  it('answers what the one in memory has not: snapshots, analytics, projections', async () => {
    const { core, query } = clients();
    const at = { since: new Date(Date.now() - 3_600_000), window: 'hour' } as const;
    await core.ingestEvent({ eventType: 'figures.taken', entityId: 'figures', payload: { n: 1 } });
    await core.ingestEvent({ eventType: 'figures.told', entityId: 'figures', payload: { m: 2 } });
    expect((await query.createSnapshot('figures')).eventCount).toBe(2);
    expect((await query.listSnapshots({ entityId: 'figures' })).total).toBe(1);
    expect((await query.getLatestSnapshot('figures')).state).toEqual({ n: 1, m: 2 });
    expect((await query.getFrequency({ ...at, entityId: 'figures' })).totalEvents).toBe(2);
    expect((await query.getSummary({ entityId: 'figures' })).uniqueEventTypes).toBe(2);
    const types = { eventTypeA: 'figures.taken', eventTypeB: 'figures.told' };
    expect((await query.getCorrelation({ ...types, timeWindowSeconds: 60 })).correlatedPairs).toBe(
      1,
    );
    expect((await query.listProjections()).map(({ name }) => name)).toContain('entity_snapshots');
    expect((await query.getProjection('entity_snapshots')).status).toBe('running');
    expect(await query.getProjectionState('entity_snapshots', 'figures')).toEqual({ n: 1, m: 2 });
    expect((await query.health()).status).toBe('healthy');
    expect((await core.health()).service).toBe('allsource-core');
  });

  it('refuses a wrong key by class, on calls and on streams, which do not try again', async () => {
    const wrong = { ...options(), apiKey: 'ask_wrong' };
    await expect(new QueryClient(wrong).queryEvents()).rejects.toThrow(UnauthenticatedError);
    const items = new EventStreamClient(wrong).subscribe();
    await expect(items.next()).rejects.toThrow(UnauthenticatedError);
  });
});

/** A proxy that hands requests on, and cuts the connection of some once the store has answered, so that nobody learns of it. */
class LossyProxy {
  readonly #server: Server;
  lost = 0;

  constructor(target: string, isLost: (path: string) => boolean) {
    this.#server = createServer((incoming, outgoing) => {
      const { method, url = '', headers } = incoming;
      const onward = request(target + url, { method, headers }, (answer: IncomingMessage) => {
        if (isLost(url)) {
          this.lost += 1;
          // The whole answer has come, so the append is durable.
          answer.resume().on('end', () => outgoing.destroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onward);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('appends whose answers are lost after the commit', () => {
  it('are tried again and stored once, alone and in batches, also when several answers are lost in a row', async () => {
    let appends = 0;
    const proxy = new LossyProxy(store.coreUrl, () => {
      appends += 1;
      return appends % 3 !== 0;
    });
    const url = await proxy.start();
    const retry = { delayMsMin: 1, delayMsMax: 5 };
    const core = new CoreClient({ ...options(), url, retry, breaker: false });
    try {
      for (let n = 0; n < 20; n += 1) {
        const one = await core.ingestEvent({
          eventType: 'lost.one',
          entityId: 'lossy',
          payload: { n },
        });
        expect(one.isReplayed).toBe(true);
        await core.ingestBatch(
          ['a', 'b'].map((part) => ({
            eventType: 'lost.batch',
            entityId: 'lossy',
            payload: { n, part },
          })),
        );
      }
    } finally {
      await proxy.stop();
    }
    const events = await new QueryClient(options()).getEntityEvents('lossy');
    expect(events.map(({ version }) => version)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    expect(
      new Set(events.map(({ json, payload }) => JSON.stringify([json.length > 0, payload]))).size,
    ).toBe(60);
    expect(proxy.lost).toBe(80);
  });
});

describe('a slow reader', () => {
  it.each([
    ["the platform's WebSocket, which is closed and opened again", 'closed', undefined],
    [
      'a WebSocket that pauses',
      'paused',
      (url: string, headers: Record<string, string>) => new WebSocket(url, { headers }),
    ],
  ] as const)('gets everything once and in order over %s', async (_title, name, webSocket) => {
    const count = 3_000;
    const core = new CoreClient(options());
    const type = `slow.${name}`;
    const events = Array.from({ length: count }, (_, n) => ({
      eventType: type,
      entityId: `slow-${n % 7}`,
      payload: n,
    }));
    await core.ingestBatch(events.slice(0, count / 2));
    const stream = new EventStreamClient({ ...options(), webSocket, queueMessagesMax: 100 });
    const seen: unknown[] = [];
    let reconnects = 0;
    for await (const item of stream.subscribe({ consumerId: `slow-${name}`, eventTypes: [type] })) {
      if (item.kind === 'reconnecting') reconnects += 1;
      if (item.kind !== 'event') continue;
      seen.push(item.event.payload);
      if (seen.length === 10) await core.ingestBatch(events.slice(count / 2));
      // A slow reader that acknowledges seldom: each replay repeats more than the queue takes.
      if (seen.length % 500 === 0) await core.ackConsumer(`slow-${name}`, item.position ?? 0);
      if (seen.length === count) break;
    }
    expect(seen).toEqual(events.map(({ payload }) => payload));
    expect(reconnects > 0).toBe(name === 'closed');
  });
});

describe('a worker over restarts of the store', () => {
  it('says that it is not caught up while it is away, comes back by itself, and loses and repeats nothing', async () => {
    const core = new CoreClient(options());
    const away: string[] = [];
    const worker = new ProjectionWorker({
      core,
      name: 'restarted',
      eventTypes: ['restart.counted'],
      checkpointInterval: 7,
      initialState: () => ({ seen: [] as unknown[] }),
      reducer: (state, { payload }) => void state.seen.push(payload),
      onError: (error) => away.push(error.code),
    });
    await worker.start();
    await worker.caughtUp();
    let next = 0;
    const append = async (count: number) => {
      for (let i = 0; i < count; i += 1) {
        await core.ingestEvent({
          eventType: 'restart.counted',
          entityId: `e${next % 5}`,
          payload: next,
        });
        next += 1;
      }
    };
    await append(20);
    await store.killAll();
    while (worker.isCaughtUp()) await new Promise((resolve) => setTimeout(resolve, 5));
    await store.launch();
    const after = new CoreClient({ ...options(), retry: { retriesMax: 20 } });
    await after.ingestEvent({ eventType: 'restart.counted', entityId: 'e0', payload: next++ });
    await append(10);
    await worker.caughtUp();
    const [last] = (
      await new QueryClient(options()).queryEvents({
        eventType: 'restart.counted',
        order: 'desc',
        limit: 1,
      })
    ).events;
    await worker.applied(last?.position ?? 0);
    expect(worker.state().seen).toEqual(Array.from({ length: next }, (_, i) => i));
    expect(away).toContain('unreachable');
    await worker.stop();
    expect(worker.failure).toBeNull();
  });
});
