import { describe, expect, it } from '@jest/globals';
import {
  type Checkpoint,
  type CheckpointStore,
  type ClientOptions,
  CoreClient,
  coreCheckpoints,
  EventStreamClient,
  InvalidArgumentError,
  InvalidRequestError,
  ProjectionWorker,
  type ProjectionWorkerOptions,
  QueryClient,
  type StreamItem,
  type WebSocketLike,
} from '../src/index.ts';
import { InMemoryStore } from '../src/testing.ts';
import { AppliedVersions } from '../src/worker/applied-versions.ts';
import { WorkerProgress } from '../src/worker/worker-progress.ts';

type Events = { 'number.counted': { n: number } };
type Numbers = { numbers: number[] };

class World {
  readonly store = new InMemoryStore();
  readonly core = this.store.coreClient<Events>();

  async append(...numbers: number[]): Promise<number> {
    const events = numbers.map((n) => ({
      eventType: 'number.counted' as const,
      entityId: `e${n % 3}`,
      payload: { n },
    }));
    const { events: appended } = await this.core.ingestBatch(events);
    const last = await this.store.queryClient().getEvent(appended.at(-1)?.eventId ?? '');
    return last.position ?? 0;
  }

  worker(options: Partial<ProjectionWorkerOptions<Numbers, Events>> = {}) {
    return new ProjectionWorker<Numbers, Events>({
      core: this.core,
      name: 'numbers',
      initialState: () => ({ numbers: [] }),
      reducer: ({ numbers }, { payload }) => void numbers.push(payload.n),
      ...options,
    });
  }

  /** Runs a worker until it has caught up, and stops it. */
  async run(options: Partial<ProjectionWorkerOptions<Numbers, Events>> = {}): Promise<number[]> {
    await using worker = this.worker(options);
    await worker.start();
    await worker.caughtUp();
    return worker.state().numbers;
  }
}

describe('a worker', () => {
  it('saves after so many events, live ones too, and the cursor is never ahead of the state', async () => {
    const world = new World();
    const worker = world.worker({ checkpointInterval: 2 });
    await worker.start();
    await worker.caughtUp();
    await worker.applied(await world.append(1, 2, 3));
    const saved = await coreCheckpoints(world.core).load('numbers');
    expect(saved?.state).toEqual({ numbers: [1, 2] });
    expect(await world.core.loadCheckpoint('numbers')).toBe(saved?.position);
    await worker.stop();
    expect((await coreCheckpoints(world.core).load('numbers'))?.state).toEqual({
      numbers: [1, 2, 3],
    });
    expect(worker.status).toBe('stopped');
  });

  it('saves after some time too, without further events', async () => {
    const world = new World();
    const worker = world.worker({ checkpointIntervalMs: 5 });
    await worker.start();
    const position = await world.append(1);
    await worker.applied(position);
    while ((await world.core.loadCheckpoint('numbers')) < position);
    expect((await coreCheckpoints(world.core).load('numbers'))?.position).toBe(position);
    await worker.stop();
  });

  it('ends when its reducer throws, says why, and leaves the state of the last checkpoint to the next', async () => {
    const world = new World();
    await world.append(1, 2);
    expect(await world.run()).toEqual([1, 2]);
    await world.append(3, 4);
    const worker = world.worker({
      reducer: ({ numbers }, { payload }) => {
        numbers.push(payload.n);
        if (payload.n === 4) throw new RangeError('four');
      },
    });
    await worker.start();
    await expect(worker.caughtUp()).rejects.toThrow(RangeError);
    expect([worker.status, worker.failure?.message, worker.isCaughtUp()]).toEqual([
      'failed',
      'four',
      false,
    ]);
    await worker.stop();
    expect(await world.run()).toEqual([1, 2, 3, 4]);
  });

  it('saves nothing of a state that its reducer has left half changed, also not on time', async () => {
    const world = new World();
    const state = { numbers: [1] };
    const progress = new WorkerProgress({
      core: world.core,
      name: 'half',
      checkpoints: coreCheckpoints(world.core),
      encode: (held) => held,
      flush: null,
      start: { state, position: 0 },
    });
    await world.append(1);
    progress.advance(state, 1);
    progress.abandon();
    await progress.save();
    expect(await coreCheckpoints(world.core).load('half')).toBeNull();
  });

  it('refuses to start where the saved state ends before the cursor, and takes another name', async () => {
    const world = new World();
    await world.append(1, 2);
    await world.core.ackConsumer('numbers', 2);
    const worker = world.worker();
    await expect(worker.start()).rejects.toThrow(/position 2.*ends at 0/);
    expect(worker.status).toBe('failed');
    expect(await world.run({ name: 'numbers-2' })).toEqual([1, 2]);
  });

  it('saves only the cursor when told so, and begins its state anew behind it', async () => {
    const world = new World();
    const options = { checkpoints: 'cursor' } as const;
    await world.append(1, 2);
    expect(await world.run(options)).toEqual([1, 2]);
    await world.append(3);
    expect(await world.run(options)).toEqual([3]);
  });

  it('keeps its checkpoints in a store of the caller, and catches up from it when the cursor is behind', async () => {
    const world = new World();
    const kept = new Map<string, string>();
    const checkpoints: CheckpointStore = {
      load: async (name) => JSON.parse(kept.get(name) ?? 'null') as Checkpoint | null,
      save: async (name, checkpoint) => void kept.set(name, JSON.stringify(checkpoint)),
    };
    await world.append(1, 2);
    kept.set('numbers', JSON.stringify({ position: 1, state: { numbers: [100] } }));
    expect(await world.run({ checkpoints })).toEqual([100, 2]);
    expect(JSON.parse(kept.get('numbers') ?? '')).toEqual({
      position: 2,
      state: { numbers: [100, 2] },
    });
  });

  it('keeps states of any kind with encode and decode, and refuses what JSON would change', async () => {
    const world = new World();
    await world.append(1, 2, 3, 4);
    const options = {
      core: world.core,
      name: 'map',
      initialState: () => new Map<string, number>(),
      reducer: (state: Map<string, number>, { entityId }: { entityId: string }) => {
        state.set(entityId, (state.get(entityId) ?? 0) + 1);
      },
    };
    const plain = new ProjectionWorker({ ...options, name: 'plain' });
    await plain.start();
    await expect(plain.caughtUp()).rejects.toThrow(/an object of the class Map/);
    const codec = {
      encode: (state: Map<string, number>) => [...state],
      decode: (saved: unknown) => new Map(saved as [string, number][]),
    };
    for (let run = 0; run < 2; run += 1) {
      await using worker = new ProjectionWorker({ ...options, ...codec });
      await worker.start();
      await worker.caughtUp();
      expect(worker.state()).toEqual(
        new Map([
          ['e1', 2],
          ['e2', 1],
          ['e0', 1],
        ]),
      );
      expect(await worker.getState('e1')).toBe(2);
    }
  });

  it('cuts a large state into parts, between characters, and puts it together again', async () => {
    const world = new World();
    const text = '😀'.repeat(400_000);
    await coreCheckpoints(world.core).save('large', { position: 7, state: { text } });
    const loaded = await coreCheckpoints(world.core).load('large');
    const isWhole = JSON.stringify(loaded) === JSON.stringify({ position: 7, state: { text } });
    expect(isWhole).toBe(true);
  });

  it('shows others the states of single entities that have changed', async () => {
    const world = new World();
    let saves = 0;
    const fetch: NonNullable<ClientOptions['fetch']> = async (url, init) => {
      if (url.endsWith('/projections/numbers/bulk/save')) saves += 1;
      return await (world.store.connection.fetch ?? globalThis.fetch)(url, init);
    };
    const core = new CoreClient<Events>({ ...world.store.connection, fetch });
    const worker = world.worker({
      core,
      flushEntities: ({ numbers }) => [
        ['last', numbers.at(-1) ?? 0],
        ['first', numbers[0] ?? 0],
      ],
    });
    await world.append(1, 2);
    await worker.start();
    await worker.caughtUp();
    expect(await world.core.getProjectionState('numbers', 'last')).toBe(2);
    expect(await worker.getState('first')).toBe(1);
    await worker.applied(await world.append(2));
    await worker.stop();
    expect(saves).toBe(1);
  });

  it('tells of failures that pass, and goes on with the save that failed', async () => {
    const world = new World();
    const failures: string[] = [];
    let refusals = 3;
    const fetch: NonNullable<ClientOptions['fetch']> = async (url, init) => {
      if (url.includes('.checkpoint/bulk/save') && refusals-- > 0) throw new TypeError('cut');
      return await (world.store.connection.fetch ?? globalThis.fetch)(url, init);
    };
    const core = new CoreClient<Events>({ ...world.store.connection, fetch, retry: false });
    await world.append(1, 2, 3);
    const onError = (error: Error) => failures.push(error.name);
    expect(
      await world.run({ core, checkpointInterval: 1, checkpointIntervalMs: 60_000, onError }),
    ).toEqual([1, 2, 3]);
    expect(failures).toEqual(['ConnectionError', 'ConnectionError', 'ConnectionError']);
  });

  it('is started once, and with a sensible interval', async () => {
    const world = new World();
    const worker = world.worker();
    await worker.start();
    await expect(worker.start()).rejects.toThrow(InvalidArgumentError);
    await worker.stop();
    await worker.stop();
    expect(() => world.worker({ checkpointInterval: 0 })).toThrow(/checkpointInterval is 0/);
  });

  it('stops waiting when its caller does, or when it is stopped', async () => {
    const world = new World();
    const worker = world.worker();
    await worker.start();
    await worker.caughtUp();
    const reason = new Error('enough');
    await expect(worker.applied(99, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const signal = AbortSignal.abort(reason);
    await expect(world.worker({ name: 'other' }).start({ signal })).rejects.toBe(reason);
    const waiting = worker.applied(99);
    await Promise.all([expect(waiting).rejects.toThrow(/stopped/), worker.stop()]);
  });
});

describe('applied versions', () => {
  it('know a repeated event of an entity, and forget the entities that had events least lately', () => {
    const versions = new AppliedVersions(2);
    expect([versions.note('a', 1), versions.note('a', 1), versions.note('a', 2)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([versions.note('b', 5), versions.note('b', 4), versions.note('b', 0)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(versions.note('a', 3)).toBe(true);
    versions.note('c', 1);
    expect([versions.note('a', 3), versions.note('b', 1)]).toEqual([false, true]);
  });
});

/** A WebSocket whose other end is the test. */
class FakeSocket implements WebSocketLike {
  readonly #listeners = new Map<string, ((event: { readonly data: unknown }) => void)[]>();
  readonly sent: string[] = [];
  isClosed = false;

  addEventListener(type: string, listener: (event: { readonly data: unknown }) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.emit('close');
  }

  emit(type: string, data?: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener({ data });
  }
}

class PausingSocket extends FakeSocket {
  readonly calls: string[] = [];

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }
}

function live(n: number): string {
  const id = `01a1ffcd-b573-754d-a620-${n.toString(16).padStart(12, '0')}`;
  return `{"id":"${id}","event_type":"a.b","entity_id":"x","payload":{"n": ${n}.0},"timestamp":"2026-01-01T00:00:00Z","metadata":null,"version":${n}}`;
}

function replay(n: number): string {
  return `{"type":"replay","position":${n},"event":${live(n)}}`;
}

/** A client whose sockets are the test's, one after another, and whose other requests are answered as by a store that is well. */
function streamOver(sockets: FakeSocket[], queueMessagesMax = 100) {
  const opened: string[] = [];
  const stream = new EventStreamClient({
    url: 'http://store.invalid',
    apiKey: 'ask_key',
    queueMessagesMax,
    fetch: async () => new Response('{"code":"upgrade_required"}', { status: 426 }),
    webSocket: (url, headers) => {
      opened.push(`${url} ${headers['authorization']}`);
      const socket = sockets[opened.length - 1] ?? new FakeSocket();
      queueMicrotask(() => socket.emit('open'));
      return socket;
    },
  });
  return { stream, opened };
}

function shown(item: StreamItem<{ readonly version: number }> | undefined): unknown {
  if (item === undefined) return 'end';
  return item.kind === 'event' ? item.position : item.kind;
}

async function take(
  items: AsyncGenerator<StreamItem<{ readonly version: number }>>,
  count: number,
) {
  const taken: unknown[] = [];
  while (taken.length < count) taken.push(shown((await items.next()).value ?? undefined));
  return taken;
}

describe('a stream', () => {
  it('connects as the consumer with the key in the header, and keeps the text of each event', async () => {
    const socket = new FakeSocket();
    const { stream, opened } = streamOver([socket]);
    const items = stream.subscribe({ consumerId: 'a b' });
    const first = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const text of [
      replay(3),
      '{"type":"replay_complete","replayed":1}',
      live(4),
      '{"type":"heartbeat"}',
    ])
      socket.emit('message', text);
    const item = (await first).value;
    expect(item).toMatchObject({
      kind: 'event',
      phase: 'replay',
      position: 3,
      event: { json: live(3) },
    });
    expect(await take(items, 2)).toEqual(['caught_up', 4]);
    expect(opened).toEqual([
      'ws://store.invalid/api/v1/events/stream?consumer_id=a+b Bearer ask_key',
    ]);
    stream.close();
    expect((await items.next()).done).toBe(true);
    expect(socket.isClosed).toBe(true);
  });

  it('of a consumer that lagged is opened again, and what the replay repeats is dropped', async () => {
    const sockets = [new FakeSocket(), new FakeSocket()];
    const { stream } = streamOver(sockets);
    const items = stream.subscribe({ consumerId: 'c' });
    const first = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const text of [live(1), live(2), '{"type":"lagged","missed":2}', live(5)])
      sockets[0]?.emit('message', text);
    expect(shown((await first).value ?? undefined)).toBe(1);
    expect(await take(items, 2)).toEqual([2, 'reconnecting']);
    const next = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const n of [1, 2, 3, 4, 5]) sockets[1]?.emit('message', replay(n));
    expect(shown((await next).value ?? undefined)).toBe(3);
    expect(await take(items, 2)).toEqual([4, 5]);
    stream.close();
  });

  it('without a consumer says what was missed, and that a connection in between was lost', async () => {
    const sockets = [new FakeSocket(), new FakeSocket()];
    const { stream } = streamOver(sockets);
    const items = stream.subscribe({ eventTypes: ['a.*'] });
    const first = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sockets[0]?.sent).toEqual(['{"type":"subscribe","filters":["a.*"]}']);
    sockets[0]?.emit('message', '{"type":"lagged","missed":7}');
    expect((await first).value).toEqual({ kind: 'lagged', missed: 7 });
    sockets[0]?.close();
    expect(await take(items, 1)).toEqual(['reconnecting']);
    expect((await items.next()).value).toEqual({ kind: 'lagged', missed: null });
    stream.close();
  });

  it('holds a socket that can pause back while its reader is slow', async () => {
    const socket = new PausingSocket();
    const { stream } = streamOver([socket], 10);
    const items = stream.subscribe({ consumerId: 'c' });
    const first = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let n = 1; n <= 8; n += 1) socket.emit('message', live(n));
    expect(socket.calls).toEqual(['pause']);
    await first;
    await take(items, 7);
    expect([socket.calls, socket.isClosed]).toEqual([['pause', 'resume'], false]);
    stream.close();
  });

  it('closes a socket that cannot pause when its queue is full, delivers what is in it, and opens another', async () => {
    const sockets = [new FakeSocket(), new FakeSocket()];
    const { stream, opened } = streamOver(sockets, 10);
    const items = stream.subscribe({ consumerId: 'c' });
    const first = items.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let n = 1; n <= 30; n += 1) sockets[0]?.emit('message', live(n));
    expect([sockets[0]?.isClosed, opened.length]).toEqual([true, 1]);
    await first;
    expect(await take(items, 10)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 'reconnecting']);
    stream.close();
  });

  it('ends when the store refuses it, as a plain request tells', async () => {
    const stream = new EventStreamClient({
      url: 'http://store.invalid',
      fetch: async () =>
        new Response('{"code":"invalid_consumer_id","detail":"bad"}', { status: 400 }),
      webSocket: () => {
        const socket = new FakeSocket();
        queueMicrotask(() => socket.close());
        return socket;
      },
    });
    await expect(stream.subscribe({ consumerId: ' ' }).next()).rejects.toThrow(InvalidRequestError);
  });
});

describe('events that are parsed by the caller', () => {
  it('come as he makes them, and an event that he refuses ends the call', async () => {
    const world = new World();
    await world.append(1);
    const parsed = (isRefused: boolean) =>
      new QueryClient<Events>({
        ...world.store.connection,
        parseEvent: (event) => {
          if (isRefused) throw new TypeError('not one of ours');
          return { ...event, eventType: 'number.counted', payload: { n: 41 } };
        },
      });
    expect((await parsed(false).getEntityEvents('e1'))[0]?.payload.n).toBe(41);
    await expect(parsed(true).getEntityEvents('e1')).rejects.toThrow(/not one of ours/);
  });
});
