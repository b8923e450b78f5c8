/** What a store promises to the clients of `@allsource/client`: run against a real store and against the one in memory. */
import { expect, it } from '@jest/globals';
import {
  type CoreClient,
  type EventStreamClient,
  InvalidRequestError,
  NotFoundError,
  ProjectionWorker,
  type QueryClient,
  VersionConflictError,
} from '@allsource/client';

type Clients = {
  readonly core: CoreClient;
  readonly query: QueryClient;
  readonly stream: EventStreamClient;
};

let names = 0;

/** A name that no other case uses: the cases of a run share a store. */
function fresh(kind: string): string {
  names += 1;
  return `${kind}${names}`;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

function at(second: number): string {
  return `2026-01-01T00:00:0${second}Z`;
}

function event(entityId: string, payload: unknown = {}, eventType = 'case.happened') {
  return { eventType, entityId, payload };
}

export function storeCases(clients: () => Clients): void {
  it('gives the events of an entity versions 1, 2, 3 and rising positions, and reads them back at once', async () => {
    const { core, query } = clients();
    const entityId = fresh('entity-');
    expect((await core.ingestEvent(event(entityId, { n: 1 }))).version).toBe(1);
    const { events } = await core.ingestBatch([
      event(entityId, { n: 2 }),
      event(entityId, { n: 3 }),
    ]);
    expect(events.map(({ version }) => version)).toEqual([2, 3]);
    const read = await query.getEntityEvents(entityId);
    expect(read.map(({ version, payload }) => [version, payload])).toEqual([
      [1, { n: 1 }],
      [2, { n: 2 }],
      [3, { n: 3 }],
    ]);
    const positions = read.map(({ position }) => position ?? 0);
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect((await query.getEvent(events[0]?.eventId ?? '')).version).toBe(2);
  });

  it('stores nothing of a batch whose expected version does not hold, and says where the entity is', async () => {
    const { core, query } = clients();
    const [one, other] = [fresh('entity-'), fresh('entity-')];
    await core.ingestEvent(event(one));
    const conflict = core.ingestBatch([
      { ...event(other), expectedVersion: 0 },
      { ...event(one), expectedVersion: 1 },
      { ...event(one), expectedVersion: 5 },
    ]);
    await expect(conflict).rejects.toThrow(VersionConflictError);
    await expect(conflict).rejects.toMatchObject({
      expectedVersion: 5,
      currentVersion: 2,
      index: 2,
      status: 409,
    });
    expect((await query.queryEvents({ entityId: one })).entityVersion).toBe(1);
    expect((await query.queryEvents({ entityId: other })).totalCount).toBe(0);
  });

  it('counts the versions of a batch as it goes, and takes expectedVersion 0 for an entity that must not exist', async () => {
    const { core } = clients();
    const entityId = fresh('entity-');
    const { events } = await core.ingestBatch(
      [0, 1, 2].map((expectedVersion) => ({ ...event(entityId), expectedVersion })),
    );
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(await codeOf(core.ingestEvent({ ...event(entityId), expectedVersion: 0 }))).toBe(
      'version_conflict',
    );
  });

  it('answers a known idempotency key as the first time, and refuses it for another body', async () => {
    const { core, query } = clients();
    const entityId = fresh('entity-');
    const options = { idempotencyKey: fresh('key-') };
    const first = await core.ingestEvent(event(entityId, { n: 1 }), options);
    const again = await core.ingestEvent(event(entityId, { n: 1 }), options);
    expect([first.isReplayed, again.isReplayed]).toEqual([false, true]);
    expect(again.eventId).toBe(first.eventId);
    expect(await codeOf(core.ingestEvent(event(entityId, { n: 2 }), options))).toBe(
      'idempotency_key_reused',
    );
    expect((await query.queryEvents({ entityId })).totalCount).toBe(1);
  });

  it.each([
    ['invalid_event_type', event('e', {}, 'Order Placed')],
    ['invalid_event_type', event('e', {}, '_system.mine')],
    ['invalid_event_type', event('e', {}, 'a..b')],
    ['invalid_entity_id', event('')],
    ['invalid_entity_id', event(' padded')],
    ['invalid_entity_id', event('x'.repeat(129))],
    ['invalid_timestamp', { ...event('e'), timestamp: 'yesterday' }],
    ['future_timestamp', { ...event('e'), timestamp: '2200-01-01T00:00:00Z' }],
    ['payload_too_large', event('e', 'x'.repeat(1024 * 1024))],
    ['invalid_body', { ...event('e'), expectedVersion: -1 }],
    ['invalid_body', { ...event('e'), payload: undefined }],
    ['invalid_body', { json: '{"event_type":"a.b","entity_id":"e"}' }],
    ['malformed_json', { json: '{"event_type":' }],
  ])('refuses with %s, alone and in a batch, of which nothing is stored', async (code, bad) => {
    const { core, query } = clients();
    expect(await codeOf(core.ingestEvent(bad))).toBe(code);
    const entityId = fresh('entity-');
    const batch = core.ingestBatch([event(entityId), bad]);
    expect(await codeOf(batch)).toBe(code);
    await expect(batch).rejects.toThrow(InvalidRequestError);
    expect((await query.queryEvents({ entityId })).totalCount).toBe(0);
  });

  it('refuses a batch of more than 10,000 events, and takes an empty one', async () => {
    const { core } = clients();
    const many = Array.from({ length: 10_001 }, () => event('e'));
    expect(await codeOf(core.ingestBatch(many))).toBe('batch_too_large');
    expect((await core.ingestBatch([])).events).toEqual([]);
  });

  it('finds events by type, prefix, excluded prefix, time and payload, in either order, page by page', async () => {
    const { core, query } = clients();
    const type = `${fresh('finding')}.`;
    await core.ingestBatch(
      [3, 1, 2].map((n) => ({
        ...event(`f-${n}`, { n, odd: n % 2 === 1 }, `${type}t${n}`),
        timestamp: at(n),
      })),
    );
    const found = async (params: Parameters<QueryClient['queryEvents']>[0]) => {
      const page = await query.queryEvents(params);
      return page.events.map(({ payload }) => (payload as { n: number }).n);
    };
    const eventTypePrefix = type;
    expect(await found({ eventTypePrefix })).toEqual([1, 2, 3]);
    expect(await found({ eventType: `${type}t2` })).toEqual([2]);
    expect(await found({ eventType: type.slice(0, -1) })).toEqual([]);
    expect(await found({ eventTypePrefix, order: 'desc', limit: 2 })).toEqual([3, 2]);
    expect(await found({ eventTypePrefix, excludeEventTypePrefixes: [`${type}t1`] })).toEqual([
      2, 3,
    ]);
    expect(await found({ eventTypePrefix, since: at(2) })).toEqual([2, 3]);
    expect(await found({ eventTypePrefix, until: at(2) })).toEqual([1, 2]);
    expect(await found({ eventTypePrefix, payload: { odd: true } })).toEqual([1, 3]);
    const first = await query.queryEvents({ eventTypePrefix, limit: 2 });
    expect(first).toMatchObject({ count: 2, totalCount: 3, hasMore: true });
    expect(await found({ eventTypePrefix, limit: 2, cursor: first.nextCursor ?? '' })).toEqual([3]);
    const all: unknown[] = [];
    for await (const one of query.iterateEvents({ eventTypePrefix })) all.push(one.version);
    expect(all).toEqual([1, 1, 1]);
    expect(await codeOf(query.queryEvents({ since: 'yesterday' }))).toBe('invalid_parameter');
  });

  it('folds what is meant, lists entities by their last event, and finds those that are alike', async () => {
    const { core, query } = clients();
    const prefix = `${fresh('folding')}.`;
    const [a, b, c] = [fresh('entity-'), fresh('entity-'), fresh('entity-')];
    await core.ingestBatch([
      { ...event(a, { mail: 'x', n: 1 }, `${prefix}made`), timestamp: at(1) },
      { ...event(b, { mail: 'x', n: 2 }, `${prefix}made`), timestamp: at(2) },
      { ...event(c, { mail: 'y', n: 4 }, `${prefix}made`), timestamp: at(3) },
    ]);
    const sum = await query.queryAndFold(
      { eventTypePrefix: prefix },
      {
        initial: () => ({ sum: 0 }),
        apply: (state, { payload }) => {
          state.sum += (payload as { n: number }).n;
        },
        finalize: ({ sum: total }) => `sum ${total}`,
      },
    );
    expect(sum).toBe('sum 7');
    const entities = await query.listEntities({ eventTypePrefix: prefix, limit: 2 });
    expect(entities).toMatchObject({ total: 3, hasMore: true });
    expect(entities.items.map(({ entityId }) => entityId)).toEqual([c, b]);
    const { items } = await query.detectDuplicates({ eventTypePrefix: prefix, groupBy: ['mail'] });
    expect(items).toEqual([{ key: { mail: 'x' }, entityIds: [a, b].toSorted(), count: 2 }]);
    expect((await query.getEntityState(b)).currentState).toEqual({ mail: 'x', n: 2 });
    await expect(query.getEntityState(fresh('nobody-'))).rejects.toThrow(NotFoundError);
  });

  it('keeps the states of projections, bulk saves as a whole', async () => {
    const { core } = clients();
    const name = fresh('projection-');
    await core.putProjectionState(name, { entityId: 'a/b', state: { n: 1 } });
    await core.bulkPutProjectionStates(name, [
      { entityId: 'c', state: null },
      { entityId: 'd', state: [1, 2] },
    ]);
    expect(await core.getProjectionState(name, 'a/b')).toEqual({ n: 1 });
    expect(await core.getProjectionState(name, 'nobody')).toBeUndefined();
    expect(await core.bulkGetProjectionStates(name, ['d', 'nobody', 'c'])).toEqual([
      { entityId: 'd', state: [1, 2] },
      { entityId: 'c', state: null },
    ]);
    const page = await core.listProjectionStates(name, { limit: 2 });
    expect(page.states.map(({ entityId }) => entityId)).toEqual(['a/b', 'c']);
    expect(page).toMatchObject({ total: 3, hasMore: true });
    const refused = core.bulkPutProjectionStates(name, [
      { entityId: 'e', state: 1 },
      { entityId: 'd', state: 'x'.repeat(1024 * 1024) },
    ]);
    expect(await codeOf(refused)).toBe('payload_too_large');
    expect(await core.getProjectionState(name, 'e')).toBeUndefined();
  });

  it('keeps the cursor of a consumer: it never goes back and never beyond what there is', async () => {
    const { core } = clients();
    const [consumer, type] = [fresh('consumer-'), `${fresh('consumed')}.done`];
    expect(await core.getConsumer(consumer)).toEqual({
      id: consumer,
      eventTypes: [],
      cursorPosition: 0,
    });
    await core.registerConsumer(consumer, { eventTypes: [type] });
    await core.ingestBatch([
      event('c', { n: 1 }, type),
      event('c', {}, 'case.other'),
      event('c', { n: 2 }, type),
    ]);
    const [first, second, third] = await core.pollConsumer(consumer);
    expect([first?.event.payload, second?.event.payload, third]).toEqual([
      { n: 1 },
      { n: 2 },
      undefined,
    ]);
    await core.ackConsumer(consumer, first?.position ?? 0);
    expect((await core.pollConsumer(consumer)).map(({ position }) => position)).toEqual([
      second?.position,
    ]);
    await core.saveCheckpoint(consumer, second?.position ?? 0);
    await core.ackConsumer(consumer, first?.position ?? 0);
    expect(await core.loadCheckpoint(consumer)).toBe(second?.position);
    expect((await core.registerConsumer(consumer)).cursorPosition).toBe(second?.position);
    expect(await codeOf(core.ackConsumer(consumer, 1_000_000_000))).toBe('position_beyond_head');
  });

  it('streams what a consumer missed, says that it has caught up, and goes on live', async () => {
    const { core, stream } = clients();
    const [consumerId, type] = [fresh('consumer-'), `${fresh('streamed')}.done`];
    await core.ingestEvent(event('s', { n: 1 }, type));
    const seen: unknown[] = [];
    for await (const item of stream.subscribe({ consumerId, eventTypes: [type] })) {
      if (item.kind === 'event')
        seen.push([item.phase, item.event.payload, item.position !== null]);
      else seen.push(item.kind);
      if (item.kind === 'caught_up')
        await core.ingestBatch([event('s', {}, 'case.other'), event('s', { n: 2 }, type)]);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([['replay', { n: 1 }, true], 'caught_up', ['live', { n: 2 }, true]]);
  });

  it('follows from a position on', async () => {
    const { core, query } = clients();
    const type = `${fresh('followed')}.done`;
    const { events } = await core.ingestBatch([1, 2, 3].map((n) => event('w', { n }, type)));
    const from = (await query.getEvent(events[0]?.eventId ?? '')).position ?? 0;
    const seen: unknown[] = [];
    for await (const followed of query.followEvents({ afterPosition: from, eventTypes: [type] })) {
      seen.push(followed.event.payload);
      if (seen.length === 2) await core.ingestEvent(event('w', { n: 4 }, type));
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
  });

  it('lets a worker go on where it stopped: each event is in its state once, and only what is new is read again', async () => {
    const { core } = clients();
    const [name, type] = [fresh('worker-'), `${fresh('worked')}.done`];
    const reduced: unknown[] = [];
    const worker = () =>
      new ProjectionWorker({
        core,
        name,
        eventTypes: [type],
        checkpointInterval: 2,
        initialState: (): Record<string, number> => ({}),
        reducer: (state, { entityId, payload }) => {
          reduced.push(payload);
          state[entityId] = (state[entityId] ?? 0) + 1;
        },
      });
    await core.ingestBatch([event('a', 1, type), event('b', 2, type), event('a', 3, type)]);
    const first = worker();
    await first.start();
    await first.caughtUp();
    expect(first.state()).toEqual({ a: 2, b: 1 });
    const before = first.position;
    await core.ingestEvent(event('c', 4, type));
    await first.applied(before + 1);
    await first.stop();
    await core.ingestEvent(event('a', 5, type));
    const second = worker();
    await second.start();
    await second.caughtUp();
    expect(second.state()).toEqual({ a: 3, b: 1, c: 1 });
    expect(await second.getState('a')).toBe(3);
    await second.stop();
    expect(reduced).toEqual([1, 2, 3, 4, 5]);
  });
}
