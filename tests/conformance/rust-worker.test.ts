/**
 * The ProjectionWorker of the Rust SDK: the SDK's own integration tests, and the steps of its state machine that a server can get wrong. Up to 0.19.2 it opens
 * its stream with an empty bearer, later with the key; both are tried through each addressing.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunningStore } from '../support/running-store.ts';
import {
  ADDRESSINGS,
  addressesOf,
  startConformanceStore,
  TEST_KEY,
  unique,
} from './addressings.ts';
import { RustCoreClient } from './sdk/rust-core-client.ts';
import { RustProjectionWorker, type RustWorkerOptions } from './sdk/rust-worker.ts';
import { RustEventStream } from './sdk/rust-stream.ts';
import { SdkConnectionError } from './sdk/transport.ts';

type Counts = Map<string, number>;

let store: RunningStore;
const running: RustProjectionWorker<unknown>[] = [];

beforeAll(async () => {
  store = await startConformanceStore();
}, 60_000);

afterAll(async () => {
  await Promise.all(running.map((worker) => worker.stop()));
  await store?.remove();
}, 60_000);

/** What a worker saves: a row for each entity. */
function rowsOf(state: Counts) {
  return [...state].map(([id, count]) => [id, { count }] as const);
}

/** A worker that counts the events of the entities whose ids begin with `prefix`, as those of the SDK's tests do. */
function countingWorker(
  options: Pick<RustWorkerOptions<Counts>, 'core' | 'url' | 'bearer' | 'name'> &
    Partial<RustWorkerOptions<Counts>> & { readonly prefix: string },
): RustProjectionWorker<Counts> {
  const worker = new RustProjectionWorker<Counts>({
    eventTypes: ['test.event'],
    state: new Map(),
    reduce: (state, { entityId }) => {
      if (entityId.startsWith(options.prefix)) state.set(entityId, (state.get(entityId) ?? 0) + 1);
    },
    ...options,
  });
  running.push(worker as RustProjectionWorker<unknown>);
  return worker;
}

function applied(worker: RustProjectionWorker<Counts>): number {
  return [...worker.state.values()].reduce((sum, count) => sum + count, 0);
}

/** Waits for what the worker is to reach; a worker that never does fails the test by its limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function ingest(
  core: RustCoreClient,
  prefix: string,
  { count, type = 'test.event' }: { readonly count: number; readonly type?: string },
): Promise<void> {
  await core.ingestBatch(
    Array.from({ length: count }, (_, index) => ({
      eventType: type,
      entityId: `${prefix}-${index + 1}`,
      payload: { seq: index + 1 },
    })),
  );
}

const BEARERS = [
  ['0.19.2, with an empty bearer', ''],
  ['later, with its key', TEST_KEY],
] as const;

describe.each(ADDRESSINGS)('the Rust worker through %s', (addressing) => {
  let core: RustCoreClient;
  let url: string;

  beforeAll(() => {
    url = addressesOf(store, addressing).writes;
    core = new RustCoreClient({ url, apiKey: TEST_KEY });
  });

  describe.each(BEARERS)('of %s', (_, bearer) => {
    it('applies every event of its types on a cold start, and only these', async () => {
      const prefix = unique('cold');
      await ingest(core, prefix, { count: 20 });
      await core.ingestEvent({ eventType: 'other.event', entityId: `${prefix}-1`, payload: {} });
      const worker = countingWorker({ core, url, bearer, name: unique('worker-cold'), prefix });
      await worker.start();
      await until(() => worker.isCaughtUp);
      expect([applied(worker), worker.state.size, worker.connects]).toEqual([20, 20, 1]);
      await worker.stop();
    });

    it('goes on behind its checkpoint when it is started again', async () => {
      const [prefix, name] = [unique('resume'), unique('worker-resume')];
      const type = `resume.${prefix.replaceAll('-', '_')}`;
      const ofRun = { core, url, bearer, name, prefix, eventTypes: [type], checkpointInterval: 1 };
      await ingest(core, prefix, { count: 10, type });
      const first = countingWorker(ofRun);
      await first.start();
      await until(() => first.isCaughtUp);
      await first.stop();
      expect(applied(first)).toBe(10);
      await ingest(core, `${prefix}-more`, { count: 5, type });
      const second = countingWorker({ ...ofRun, state: new Map() });
      await second.start();
      await until(() => second.isCaughtUp);
      await second.stop();
      expect(applied(second)).toBe(5);
    });

    it('takes the versions of one entity for different events', async () => {
      const prefix = unique('dedup');
      for (let n = 0; n < 3; n++)
        await core.ingestEvent({ eventType: 'test.event', entityId: prefix, payload: {} });
      const worker = countingWorker({ core, url, bearer, name: unique('worker-dedup'), prefix });
      await worker.start();
      await until(() => worker.isCaughtUp);
      expect(applied(worker)).toBe(3);
      await worker.stop();
    });

    it('applies live events once and does not move its cursor for them', async () => {
      const [prefix, name] = [unique('live'), unique('worker-live')];
      await ingest(core, prefix, { count: 2 });
      const worker = countingWorker({ core, url, bearer, name, prefix });
      await worker.start();
      await until(() => worker.isCaughtUp);
      const position = worker.currentPosition;
      for (let n = 0; n < 3; n++)
        await core.ingestEvent({ eventType: 'test.event', entityId: `${prefix}-x`, payload: {} });
      await until(() => applied(worker) >= 5);
      expect([applied(worker), worker.currentPosition]).toEqual([5, position]);
      await worker.stop();
      expect(await core.loadCheckpoint(name)).toBe(position);
      // The next run gets them again, as replays behind the cursor.
      const next = countingWorker({ core, url, bearer, name, prefix });
      await next.start();
      await until(() => next.isCaughtUp);
      expect(applied(next)).toBe(3);
      await next.stop();
    });

    it('is caught up at once where there is nothing to replay', async () => {
      const prefix = unique('empty');
      const worker = countingWorker({
        core,
        url,
        bearer,
        name: unique('worker/empty x'),
        prefix,
        eventTypes: [`none.${prefix.replaceAll('-', '_')}`],
      });
      await worker.start();
      await until(() => worker.isCaughtUp);
      expect([worker.currentPosition, worker.connects]).toEqual([0, 1]);
      await worker.stop();
    });
  });

  it('leaves what it saves to be read by others', async () => {
    const [prefix, name] = [unique('flush'), unique('worker-flush')];
    await ingest(core, prefix, { count: 3 });
    const worker = countingWorker({ core, url, bearer: '', name, prefix, rowsOf });
    await worker.start();
    await until(() => worker.isCaughtUp);
    expect(await worker.getState(`${prefix}-2`)).toEqual({ count: 1 });
    expect(await worker.getState('nobody')).toBeNull();
    await worker.stop();
    expect(worker.flushErrors).toEqual([]);
  });

  it('acknowledges each interval of applied events, and the end of the replay', async () => {
    const [prefix, name] = [unique('interval'), unique('worker-interval')];
    const client = new RustCoreClient({ url, apiKey: TEST_KEY });
    const type = `interval.${prefix.replaceAll('-', '_')}`;
    for (let n = 0; n < 12; n++)
      await client.ingestEvent({ eventType: type, entityId: `${prefix}-${n}`, payload: {} });
    const worker = countingWorker({
      core: client,
      url,
      bearer: '',
      name,
      prefix,
      eventTypes: [type],
      checkpointInterval: 5,
    });
    await worker.start();
    await until(() => worker.isCaughtUp);
    const acks = client.tries.filter(({ path }) => path.endsWith('/ack'));
    expect(acks.map(({ status }) => status)).toEqual([200, 200, 200]);
    await worker.stop();
    expect(await core.loadCheckpoint(name)).toBe(worker.currentPosition);
  });

  it('ends with the error of its reducer, and stops cleanly', async () => {
    const prefix = unique('err');
    await ingest(core, prefix, { count: 3 });
    const worker = countingWorker({
      core,
      url,
      bearer: '',
      name: unique('worker-err'),
      prefix,
      reduce: (_state, { entityId }) => {
        if (entityId.startsWith(prefix)) throw new TypeError(`intentional: ${entityId}`);
      },
    });
    await worker.start();
    await until(() => worker.failure !== null);
    expect(String(worker.failure)).toContain(`intentional: ${prefix}-1`);
    await worker.stop();
  });
});

describe('the Rust worker and a store that goes away', () => {
  it('reconnects to the restarted store and applies nothing twice', async () => {
    const core = new RustCoreClient({ url: store.coreUrl, apiKey: TEST_KEY });
    const [prefix, name] = [unique('restart'), unique('worker-restart')];
    await ingest(core, prefix, { count: 5 });
    const worker = countingWorker({ core, url: store.coreUrl, bearer: '', name, prefix });
    await worker.start();
    await until(() => worker.isCaughtUp);
    await core.ingestEvent({ eventType: 'test.event', entityId: `${prefix}-live`, payload: {} });
    await until(() => applied(worker) === 6);
    await store.stop();
    await until(() => !worker.isCaughtUp);
    await store.launch();
    await core.ingestEvent({ eventType: 'test.event', entityId: `${prefix}-after`, payload: {} });
    await until(() => worker.isCaughtUp && applied(worker) >= 7);
    // The live event is replayed, since no cursor stands behind it, and known by its version.
    expect([applied(worker), worker.connects]).toEqual([7, 2]);
    await worker.stop();
  }, 60_000);

  it('is refused before the upgrade with a wrong key, and without any for a consumer that nobody registered', async () => {
    const core = new RustCoreClient({ url: store.url, apiKey: TEST_KEY });
    for (const bearer of ['wrong', '']) {
      const name = unique('worker-refused');
      if (bearer === 'wrong') await core.registerConsumer(name, []);
      const opened = RustEventStream.connect({
        url: store.url,
        bearer,
        consumerId: name,
        filters: [],
      });
      await expect(opened).rejects.toBeInstanceOf(SdkConnectionError);
    }
  });
});
