/**
 * The Emmett event store against a running store. Emmett publishes specifications for deciders, a wrapper that records appends, command handlers and processors, and an
 * event store in memory: the first four run on ours, and the last is the model that ours has to agree with, call by call.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AllSourceEventStore, getAllSourceEventStore } from '@allsource/emmett';
import {
  assertMatches,
  CommandHandler,
  DeciderCommandHandler,
  DeciderSpecification,
  type Event,
  type EventStore,
  ExpectedVersionConflictError,
  forwardToMessageBus,
  getInMemoryEventStore,
  getInMemoryMessageBus,
  IllegalStateError,
  isExpectedVersionConflictError,
  MessageProcessor,
  NO_CONCURRENCY_CHECK,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
  ValidationError,
  WrapEventStore,
} from '@event-driven-io/emmett';
import {
  ADDED,
  type AddItem,
  type Cart,
  type CartCommand,
  type CartConfirmed,
  type CartEvent,
  CONFIRMED,
  type Confirm,
  decide,
  DISCOUNT,
  evolve,
  initialState,
  ITEM,
  type ItemAdded,
} from './emmett-cart.ts';
import { REPOSITORY, type RunningStore } from '../support/running-store.ts';
import { startConformanceStore, TEST_KEY, unique } from './addressings.ts';

let store: RunningStore;
let events: AllSourceEventStore;

beforeAll(async () => {
  store = await startConformanceStore();
  events = getAllSourceEventStore({ url: store.url, apiKey: TEST_KEY });
}, 60_000);

afterAll(async () => {
  await events?.close();
  await store?.remove();
}, 60_000);

/** What a call came to, without what must differ: ids, and positions in a log that others write to as well. */
async function outcomeOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return JSON.parse(
      JSON.stringify(await call(), (name, value: unknown) => {
        if (name === 'messageId') return typeof value;
        if (name === 'globalPosition' || name === 'lastEventGlobalPosition') return undefined;
        return typeof value === 'bigint' ? `${value}n` : value;
      }),
    );
  } catch (error) {
    return isExpectedVersionConflictError(error) ? `conflict: ${error.message}` : error;
  }
}

type Call = (store: EventStore, stream: string) => Promise<unknown>;

/** What the same calls, one after the other, come to on our store and on Emmett's own. */
async function outcomesOf(
  calls: readonly Call[],
): Promise<{ readonly ours: unknown[]; readonly model: unknown[] }> {
  const stream = unique('agree');
  const inMemory: EventStore = getInMemoryEventStore();
  const [ours, model]: [unknown[], unknown[]] = [[], []];
  for (const call of calls) {
    ours.push(await outcomeOf(() => call(events, stream)));
    model.push(await outcomeOf(async () => await call(inMemory, stream)));
  }
  return { ours, model };
}

function downcast(event: Event) {
  return { ...event, data: { wrapped: event.data } };
}

function upcast(event: Event) {
  return { ...event, data: (event.data as { wrapped: Record<string, unknown> }).wrapped };
}

describe('the event store, beside the one that Emmett has in memory', () => {
  it('agrees about a stream that nobody has written', async () => {
    const { ours, model } = await outcomesOf([
      (one, stream) => one.readStream(stream),
      (one, stream) => one.streamExists(stream),
      (one, stream) => one.aggregateStream(stream, { evolve, initialState }),
      (one, stream) => one.readStream(stream, { expectedStreamVersion: STREAM_EXISTS }),
      (one, stream) => one.readStream(stream, { expectedStreamVersion: STREAM_DOES_NOT_EXIST }),
    ]);
    expect(ours).toEqual(model);
  });

  it('agrees about every expectation, at every state of a stream', async () => {
    const expectations = [
      STREAM_EXISTS,
      3n,
      0n,
      STREAM_DOES_NOT_EXIST,
      STREAM_DOES_NOT_EXIST,
      STREAM_EXISTS,
      2n,
      1n,
      NO_CONCURRENCY_CHECK,
      undefined,
      5n,
      4n,
    ];
    const { ours, model } = await outcomesOf(
      expectations.flatMap((expectedStreamVersion) => [
        (one: EventStore, stream: string) =>
          one.appendToStream<CartEvent>(
            stream,
            [ADDED],
            expectedStreamVersion === undefined ? {} : { expectedStreamVersion },
          ),
        (one: EventStore, stream: string) => one.readStream(stream),
        (one: EventStore, stream: string) => one.streamExists(stream),
      ]),
    );
    expect(ours).toEqual(model);
  });

  it('agrees about the events of a stream and about every part of it', async () => {
    const parts = [
      {},
      { from: 0n },
      { from: 1n },
      { from: 2n, to: 4n },
      { to: 1n },
      { to: 3n },
      { from: 1n, maxCount: 2n },
      { maxCount: 2n },
      { from: 9n },
      { to: 99n },
    ];
    const { ours, model } = await outcomesOf([
      (one, stream) => one.appendToStream<CartEvent>(stream, [ADDED, ADDED]),
      (one, stream) => one.appendToStream<CartEvent>(stream, [DISCOUNT, ADDED, CONFIRMED]),
      ...parts.map((part) => (one: EventStore, stream: string) => one.readStream(stream, part)),
      (one, stream) => one.aggregateStream(stream, { evolve, initialState }),
      (one, stream) => one.aggregateStream(stream, { evolve, initialState, read: { to: 3n } }),
    ]);
    expect(ours).toEqual(model);
  });

  it('agrees about metadata, odd types and what JSON makes of data', async () => {
    const odd = [
      { type: 'guest:checked-in', data: { room: 7 }, metadata: { correlationId: 'c-1', n: [1] } },
      { type: 'order.placed', data: {} },
      { type: '受注', data: { text: '日本語 🦀\n', none: null } },
      { type: 'APIKey', data: { same: 'name in the store' } },
      { type: 'ApiKey', data: { same: 'name in the store' }, metadata: {} },
    ] as unknown as Event[];
    const { ours, model } = await outcomesOf([
      (one, stream) => one.appendToStream(stream, odd),
      (one, stream) => one.readStream(stream),
    ]);
    expect(ours).toEqual(model);
  });

  it('agrees about events that are brought to another form on their way in and out', async () => {
    const { ours, model } = await outcomesOf([
      (one, stream) =>
        one.appendToStream(stream, [ADDED as Event], { schema: { versioning: { downcast } } }),
      (one, stream) => one.readStream(stream, { schema: { versioning: { upcast } } }),
      (one, stream) => one.readStream(stream),
    ]);
    expect(ours).toEqual(model);
  });
});

describe('the event store', () => {
  it('gives every event its place in the whole log, in the order of the appends', async () => {
    const stream = unique('global');
    const first = await events.appendToStream<CartEvent>(stream, [ADDED, DISCOUNT]);
    const second = await events.appendToStream<CartEvent>(unique('global'), [ADDED]);
    expect(second.lastEventGlobalPosition).toBe(first.lastEventGlobalPosition + 1n);
    const { events: read } = await events.readStream<CartEvent>(stream);
    expect(read.map(({ metadata }) => metadata.globalPosition)).toEqual([
      first.lastEventGlobalPosition - 1n,
      first.lastEventGlobalPosition,
    ]);
    const state = await events.aggregateStream(stream, { evolve, initialState });
    expect(state).toMatchObject({ lastEventGlobalPosition: first.lastEventGlobalPosition });
  });

  it('lets exactly one of many writers win a version', async () => {
    const stream = unique('race');
    await events.appendToStream<CartEvent>(stream, [ADDED]);
    const writes = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        events.appendToStream<CartEvent>(stream, [ADDED], { expectedStreamVersion: 1n }),
      ),
    );
    const refused = writes.filter((write) => write.status === 'rejected');
    expect(refused).toHaveLength(19);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(ExpectedVersionConflictError);
    const { currentStreamVersion } = await events.readStream(stream);
    expect(currentStreamVersion).toBe(2n);
  });

  it('stores all events of an append or none', async () => {
    const stream = unique('atomic');
    const refused = { type: '_system.forbidden', data: {} } as Event;
    await expect(events.appendToStream(stream, [ADDED as Event, refused])).rejects.toThrow(
      ValidationError,
    );
    await expect(events.appendToStream(stream, [])).rejects.toThrow(ValidationError);
    expect(await events.streamExists(stream)).toBe(false);
  });

  it('reads a stream by version, whatever times others gave its events', async () => {
    const stream = unique('times');
    for (const timestamp of [
      '2026-03-01T00:00:00Z',
      '2026-01-01T00:00:00Z',
      '2026-02-01T00:00:00Z',
    ])
      await store.post('/api/v1/events', {
        event_type: 'imported.event',
        entity_id: stream,
        payload: { timestamp },
        timestamp,
      });
    const { events: read } = await events.readStream(stream);
    expect(read.map(({ metadata }) => metadata.streamPosition)).toEqual([1n, 2n, 3n]);
    expect(read.map(({ type }) => type)).toEqual(Array(3).fill('imported.event'));
  });

  it('reads a stream of more events than a page has', async () => {
    const stream = unique('long');
    const many = Array.from({ length: 1_300 }, () => ADDED);
    await events.appendToStream<CartEvent>(stream, many);
    await events.appendToStream<CartEvent>(stream, many);
    const { events: read, currentStreamVersion } = await events.readStream<CartEvent>(stream);
    expect([read.length, currentStreamVersion]).toEqual([2_600, 2_600n]);
    expect(read.map(({ metadata }) => Number(metadata.streamPosition))).toEqual(
      read.map((_, index) => index + 1),
    );
  });

  it('is plain AllSource to everybody else', async () => {
    const stream = unique('plain');
    const named = getAllSourceEventStore({
      url: store.url,
      apiKey: TEST_KEY,
      eventTypes: { ShoppingCartConfirmed: 'shop.cart.confirmed' },
    });
    const withMetadata = { ...ADDED, metadata: { by: 'alice' } } as Event;
    await named.appendToStream(stream, [withMetadata, CONFIRMED]);
    await store.post('/api/v1/events', {
      event_type: 'shop.cart.confirmed',
      entity_id: stream,
      payload: { at: 'elsewhere' },
    });
    const { body } = await store.ask(`/api/v1/events/query?entity_id=${stream}`);
    expect(body.events).toMatchObject([
      {
        event_type: 'product.item.added',
        entity_id: stream,
        payload: { item: ITEM },
        metadata: { by: 'alice', $emmettType: 'ProductItemAdded' },
        version: 1,
      },
      { event_type: 'shop.cart.confirmed', payload: CONFIRMED.data, metadata: null, version: 2 },
      { event_type: 'shop.cart.confirmed', payload: { at: 'elsewhere' }, version: 3 },
    ]);
    const { events: read } = await named.readStream(stream);
    expect(read.map(({ type }) => type)).toEqual([
      'ProductItemAdded',
      'ShoppingCartConfirmed',
      'ShoppingCartConfirmed',
    ]);
    expect(read[0]?.metadata).not.toHaveProperty('$emmettType');
    await named.close();
  });

  it('tells a hook what was committed, once it is', async () => {
    const seen: unknown[] = [];
    const hooked = getAllSourceEventStore({
      url: store.url,
      apiKey: TEST_KEY,
      hooks: { onAfterCommit: (messages) => void seen.push(...messages) },
    });
    const stream = unique('hook');
    await hooked.appendToStream<CartEvent>(stream, [ADDED, CONFIRMED]);
    expect(seen).toEqual((await hooked.readStream(stream)).events);
    await hooked.close();
  });
});

it('what was committed can be forwarded to the message bus of Emmett', async () => {
  const bus = getInMemoryMessageBus();
  const seen: unknown[] = [];
  bus.subscribe<CartConfirmed>(
    ({ data }: CartConfirmed) => void seen.push(data),
    'ShoppingCartConfirmed',
  );
  const publishing = getAllSourceEventStore({
    url: store.url,
    apiKey: TEST_KEY,
    hooks: { onAfterCommit: forwardToMessageBus(bus) },
  });
  await publishing.appendToStream<CartEvent>(unique('bus'), [ADDED, CONFIRMED]);
  expect(seen).toEqual([CONFIRMED.data]);
  await publishing.close();
});

describe("Emmett's command handlers on the event store", () => {
  const handle = CommandHandler<Cart, CartEvent>({ evolve, initialState });
  const decideOn = DeciderCommandHandler<Cart, CartCommand, CartEvent>({
    decide,
    evolve,
    initialState,
  });

  it('read, decide and append', async () => {
    const stream = unique('handler');
    const made = await handle(events, stream, () => [ADDED, DISCOUNT]);
    expect(made).toMatchObject({
      nextExpectedStreamVersion: 2n,
      createdNewStream: true,
      newState: { total: 27 },
    });
    const nothing = await handle(events, stream, () => []);
    expect(nothing).toMatchObject({ nextExpectedStreamVersion: 2n, newEvents: [] });
    const command: Confirm = { type: 'ConfirmShoppingCart', data: { at: 'today' } };
    const confirmed = await decideOn(events, stream, command);
    expect(confirmed).toMatchObject({ nextExpectedStreamVersion: 3n, createdNewStream: false });
    await expect(decideOn(events, stream, command)).rejects.toThrow(IllegalStateError);
  });

  it('decide again when another was faster, as often as they are told to', async () => {
    const stream = unique('retry');
    let decided = 0;
    const racing = async () => {
      decided += 1;
      if (decided === 1) await events.appendToStream<CartEvent>(stream, [DISCOUNT]);
      return ADDED;
    };
    const result = await handle(events, stream, racing, { retry: { onVersionConflict: 2 } });
    expect([decided, result.nextExpectedStreamVersion]).toEqual([2, 2n]);
    await expect(
      handle(events, stream, () => ADDED, { expectedStreamVersion: 1n }),
    ).rejects.toThrow(ExpectedVersionConflictError);
  });

  it('are recorded by the wrapper for tests', async () => {
    const wrapped = WrapEventStore(events);
    const stream = unique('wrapped');
    await wrapped.setup<CartEvent>(stream, [ADDED]);
    await handle(wrapped, stream, () => CONFIRMED);
    expect([...wrapped.appendedEvents.values()]).toEqual([[stream, [CONFIRMED]]]);
    expect((await events.readStream(stream)).currentStreamVersion).toBe(2n);
  });

  it('obey the same decider as its specification', async () => {
    const given = DeciderSpecification.for({ decide, evolve, initialState });
    const add: AddItem = { type: 'AddProductItem', data: { item: ITEM } };
    given([]).when(add).then([ADDED]);
    given([ADDED, CONFIRMED]).when(add).thenThrows(IllegalStateError);
    const stream = unique('specification');
    await events.appendToStream<CartEvent>(stream, [ADDED, CONFIRMED]);
    await expect(decideOn(events, stream, add)).rejects.toThrow(IllegalStateError);
    assertMatches(await events.aggregateStream(stream, { evolve, initialState }), {
      state: { isConfirmed: true },
      streamExists: true,
    });
  });
});

describe("Emmett's processors on the event store", () => {
  it('get every event once and in order, also over a restart of theirs', async () => {
    const stream = unique('reactor');
    const processorId = unique('processor');
    const seen: string[] = [];
    const run = async (until: number) => {
      const consumer = events.consumer<CartEvent>();
      consumer.reactor({
        processorId,
        eachMessage: ({ metadata }) => {
          const { streamName, streamPosition } = metadata;
          if (streamName !== stream) return undefined;
          seen.push(`${streamPosition}`);
          return seen.length === until ? MessageProcessor.result.stop() : undefined;
        },
      });
      await consumer.start();
      expect(consumer.isRunning).toBe(false);
      await consumer.close();
    };
    await events.appendToStream<CartEvent>(stream, [ADDED, ADDED, DISCOUNT]);
    await run(2);
    await events.appendToStream<CartEvent>(stream, [CONFIRMED]);
    await run(4);
    expect(seen).toEqual(['1', '2', '3', '4']);
    const { body } = await store.ask(`/api/v1/consumers/${processorId}`);
    expect(body.cursor_position).toBeGreaterThan(0);
  });

  it('get live events of their types, and keep a projection', async () => {
    const stream = unique('projector');
    const totals = new Map<string, number>();
    const consumer = events.consumer<CartEvent>({ eventTypes: ['ProductItemAdded'] });
    consumer.projector({
      startFrom: 'END',
      projection: {
        name: unique('totals'),
        canHandle: ['ProductItemAdded'],
        handle: (messages) => {
          for (const { data, metadata } of messages) {
            const { streamName } = metadata;
            const { item } = data as ItemAdded['data'];
            totals.set(streamName, (totals.get(streamName) ?? 0) + item.price * item.quantity);
          }
        },
      },
    });
    const run = consumer.start();
    // The end of the log is asked for at the start: events are appended until one has come.
    let added = 0;
    while (!totals.has(stream)) {
      await events.appendToStream<CartEvent>(stream, [DISCOUNT, ADDED]);
      added += 1;
      await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    await events.appendToStream<CartEvent>(stream, [CONFIRMED, ADDED]);
    added += 1;
    const before = totals.get(stream) ?? 0;
    expect(before).toBeLessThanOrEqual(30 * added);
    while (totals.get(stream) === before)
      await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 5))]);
    await consumer.close();
    await run;
  });

  it('end the consumer with the error of a handler, and get the event again', async () => {
    const stream = unique('poison');
    await events.appendToStream<CartEvent>(stream, [ADDED, DISCOUNT, CONFIRMED]);
    const processorId = unique('failing');
    const seen: string[] = [];
    const run = (fails: boolean) => {
      const consumer = events.consumer<CartEvent>();
      consumer.reactor({
        processorId,
        stopAfter: ({ metadata, type }) =>
          type === 'ShoppingCartConfirmed' && metadata.streamName === stream,
        eachMessage: ({ type, metadata }) => {
          if (metadata.streamName !== stream) return;
          seen.push(type);
          if (fails && type === 'DiscountApplied') throw new IllegalStateError('no discounts');
        },
      });
      return consumer.start();
    };
    await expect(run(true)).rejects.toThrow('no discounts');
    await run(false);
    expect(seen).toEqual([
      'ProductItemAdded',
      'DiscountApplied',
      'DiscountApplied',
      'ShoppingCartConfirmed',
    ]);
    await expect(events.consumer().start()).rejects.toThrow(IllegalStateError);
  });
});

describe('the example of the guide', () => {
  const example = 'packages/emmett/examples/shopping-cart.ts';

  it('runs as it is printed there', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(REPOSITORY, example)], {
      env: { ...store.environment(), ALLSOURCE_URL: store.url, ALLSOURCE_API_KEY: TEST_KEY },
    });
    const cart = /^the cart (cart-[\w-]+) holds 2 items for 27.98$/m.exec(stdout)?.[1];
    expect(stdout).toMatch(/^refused: the cart is confirmed$/m);
    const { body } = await store.ask(`/api/v1/events/query?entity_id=${cart}`);
    expect(body.events.map(({ event_type }: { event_type: string }) => event_type)).toEqual([
      'product.item.added',
      'product.item.added',
      'shopping.cart.confirmed',
    ]);
    const guide = readFileSync(join(REPOSITORY, 'docs/guides/emmett.md'), 'utf8');
    expect(guide).toContain(readFileSync(join(REPOSITORY, example), 'utf8').trim());
  });
});
