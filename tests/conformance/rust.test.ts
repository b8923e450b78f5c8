/** The integration test of the Rust SDK, step by step, and its checklists that make sense against a server; each against the three addressings. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ADDRESSINGS, addressesOf, conformanceStore, TEST_KEY, unique } from './addressings.ts';
import { RustCoreClient } from './sdk/rust-core-client.ts';
import { type RustFolder, RustQueryClient } from './sdk/rust-query-client.ts';
import type { RustEvent } from './sdk/rust-types.ts';
import { SdkCircuitOpenError, SdkConnectionError } from './sdk/transport.ts';

const FIDELITY = {
  string: 'hello world',
  number: 42,
  float: 3.14159,
  boolean: true,
  null_val: null,
  nested: { array: [1, 2, 3], deep: { key: 'value' } },
  emoji: '\u{1F980}',
  unicode: '日本語',
  special_chars: 'line1\nline2\ttab',
};

class OrderFolder implements RustFolder<{ status: string; items: number; total: number }> {
  #status = '';
  #items = 0;
  #total = 0;

  apply({ eventType, payload }: RustEvent): void {
    if (eventType === 'sdk.test.order.created') this.#status = 'created';
    if (eventType === 'sdk.test.order.completed') this.#status = 'completed';
    if (eventType !== 'sdk.test.order.item_added') return;
    this.#items += 1;
    this.#total += (payload as { price: number }).price;
  }

  finalize() {
    const [status, items, total] = [this.#status, this.#items, this.#total];
    return status === '' ? null : { status, items, total };
  }
}

const store = conformanceStore();

describe.each(ADDRESSINGS)('the Rust SDK through %s', (addressing) => {
  let core: RustCoreClient;
  let query: RustQueryClient;

  beforeAll(() => {
    const { writes, reads } = addressesOf(store(), addressing);
    core = new RustCoreClient({ url: writes, apiKey: TEST_KEY });
    query = new RustQueryClient({ url: `${reads}/`, apiKey: TEST_KEY });
  });

  it('finds both services healthy', async () => {
    expect(await core.health()).toBe('healthy');
    expect(await query.health()).toBe('healthy');
  });

  it('reads a single event that it has appended', async () => {
    const entityId = unique('sdk-single');
    const acked = await core.ingestEvent({
      eventType: 'sdk.test.created',
      entityId,
      payload: { test: true, value: 42 },
      metadata: { source: 'rust-sdk-integration-test' },
    });
    expect(acked.eventId).not.toBe('');
    const { events, count } = await query.getEntityEvents(entityId);
    expect([count, events.length]).toEqual([1, 1]);
    expect(events[0]).toMatchObject({
      id: acked.eventId,
      entityId,
      eventType: 'sdk.test.created',
      payload: { test: true, value: 42 },
      metadata: { source: 'rust-sdk-integration-test' },
      timestamp: acked.timestamp,
      version: 1,
    });
  });

  it('appends an event with an empty payload and no metadata', async () => {
    const entityId = unique('sdk-no-meta');
    const acked = await core.ingestEvent({
      eventType: 'sdk.test.minimal',
      entityId,
      payload: {},
    });
    expect([acked.eventId, acked.version]).toEqual([expect.stringMatching(/./), 1]);
    expect((await query.getEntityEvents(entityId)).events[0]?.metadata).toBeNull();
  });

  it('appends a batch in order, with an id for each event', async () => {
    const entityId = unique('sdk-batch');
    const batch = await core.ingestBatch(
      Array.from({ length: 5 }, (_, index) => ({
        eventType: `sdk.test.batch.item${index}`,
        entityId,
        payload: { index },
      })),
    );
    expect([batch.total, batch.ingested, batch.events.length]).toEqual([5, 5, 5]);
    expect(new Set(batch.events.map(({ eventId }) => eventId)).size).toBe(5);
    expect(batch.events.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
    const { events } = await query.getEntityEvents(entityId);
    expect(events.map(({ id }) => id)).toEqual(batch.events.map(({ eventId }) => eventId));
  });

  it('finds events by their type', async () => {
    const entityId = unique('sdk-type');
    const eventType = `sdk.test.typed.${entityId.replaceAll('-', '_')}.done`;
    for (let seq = 0; seq < 3; seq++)
      await core.ingestEvent({ eventType, entityId, payload: { seq } });
    const { events, count } = await query.queryEvents({ event_type: eventType });
    expect([count, events.map((event) => event.eventType)]).toEqual([
      3,
      [eventType, eventType, eventType],
    ]);
    // An exact type is never a prefix; a prefix is.
    const half = eventType.slice(0, -2);
    expect((await query.queryEvents({ event_type: half })).count).toBe(0);
    expect((await query.queryEvents({ event_type_prefix: half })).count).toBe(3);
  });

  it('gets as many events as it asks for', async () => {
    const entityId = unique('sdk-limit');
    for (let seq = 0; seq < 5; seq++)
      await core.ingestEvent({ eventType: 'sdk.test.limit', entityId, payload: { seq } });
    const page = await query.queryEvents({ entity_id: entityId, limit: 2 });
    expect([page.events.length, page.count, page.totalCount, page.hasMore]).toEqual([
      2,
      2,
      5,
      true,
    ]);
  });

  it('gets an empty answer for an entity that is not there', async () => {
    expect(await query.getEntityEvents('nonexistent-entity-99999999')).toMatchObject({
      count: 0,
      events: [],
      hasMore: false,
    });
  });

  it('folds the events of an order, and nothing into nothing', async () => {
    const entityId = unique('sdk-fold');
    for (const [eventType, payload] of [
      ['sdk.test.order.created', {}],
      ['sdk.test.order.item_added', { item: 'Widget', price: 29.99 }],
      ['sdk.test.order.item_added', { item: 'Gadget', price: 49.99 }],
      ['sdk.test.order.completed', {}],
    ] as const)
      await core.ingestEvent({ eventType, entityId, payload });
    const order = await query.queryAndFold({ entity_id: entityId }, new OrderFolder());
    expect(order).toMatchObject({ status: 'completed', items: 2 });
    expect(order?.total).toBeCloseTo(79.98);
    const none = await query.queryAndFold({ entity_id: unique('none') }, new OrderFolder());
    expect(none).toBeNull();
  });

  it('folds the whole history of an entity, which no default limit shortens', async () => {
    const entityId = unique('sdk-long');
    for (let part = 0; part < 2; part++)
      await core.ingestBatch(
        Array.from({ length: 150 }, () => ({ eventType: 'sdk.test.long', entityId, payload: {} })),
      );
    expect((await query.getEntityEvents(entityId)).count).toBe(300);
  });

  it('appends from ten clients at once to one entity', async () => {
    const entityId = unique('sdk-concurrent');
    await Promise.all(
      Array.from({ length: 10 }, (_, worker) =>
        core.ingestEvent({ eventType: 'sdk.test.concurrent', entityId, payload: { worker } }),
      ),
    );
    const { count, events } = await query.getEntityEvents(entityId);
    expect(count).toBe(10);
    expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('gets a payload back as it was, and metadata too', async () => {
    const entityId = unique('sdk-fidelity');
    const metadata = { correlation_id: 'abc', nested: { user: 'alice', ids: [1, 2] } };
    await core.ingestEvent({
      eventType: 'sdk.test.fidelity',
      entityId,
      payload: FIDELITY,
      metadata,
    });
    const event = (await query.getEntityEvents(entityId)).events[0];
    expect([event?.payload, event?.metadata]).toEqual([FIDELITY, metadata]);
  });

  it('gets events in the order in which they were appended', async () => {
    const entityId = unique('sdk-order');
    for (let seq = 0; seq < 5; seq++)
      await core.ingestEvent({ eventType: 'sdk.test.ordered', entityId, payload: { seq } });
    const { events } = await query.getEntityEvents(entityId);
    expect(events.map(({ payload }) => payload)).toEqual([0, 1, 2, 3, 4].map((seq) => ({ seq })));
    const last = await query.queryEvents({ entity_id: entityId, order: 'desc', limit: 1 });
    expect(last.events[0]?.payload).toEqual({ seq: 4 });
  });

  it('normalizes types before it appends, and finds them under the new name', async () => {
    const entityId = unique('sdk-normal');
    const types = ['UserCreated', 'user_created', 'APIKeyCreated', 'Already.Dotted'];
    for (const eventType of types) await core.ingestEvent({ eventType, entityId, payload: {} });
    const { events } = await query.getEntityEvents(entityId);
    expect(events.map(({ eventType }) => eventType)).toEqual([
      'user.created',
      'user.created',
      'api.key.created',
      'already.dotted',
    ]);
  });

  it('lists the projections', async () => {
    const { names, total } = await query.listProjections();
    expect(names).toEqual(expect.arrayContaining(['entity_snapshots', 'event_counters']));
    expect(total).toBe(names.length);
  });

  it('lists entities and finds duplicates', async () => {
    const prefix = `dup.${unique('p').replaceAll('-', '_')}.`;
    const ids = ['a', 'b', 'c'].map(unique);
    for (const [index, entityId] of ids.entries())
      await core.ingestEvent({
        eventType: `${prefix}made`,
        entityId,
        payload: { email: index < 2 ? 'same@x' : 'other@x' },
      });
    const listed = await query.listEntities({ event_type_prefix: prefix, limit: 2 });
    expect([listed.total, listed.hasMore, listed.entities.length]).toEqual([3, true, 2]);
    // The newest first, unless asked otherwise.
    expect(listed.entities[0]).toMatchObject({ entityId: ids[2], eventCount: 1 });
    const oldest = await query.listEntities({ event_type_prefix: prefix, order: 'asc' });
    expect([oldest.entities[0]?.entityId, oldest.hasMore]).toEqual([ids[0], false]);
    const found = await query.detectDuplicates(prefix, ['email']);
    expect(found).toEqual({
      duplicates: [{ key: { email: 'same@x' }, entityIds: ids.slice(0, 2).toSorted(), count: 2 }],
      total: 1,
      hasMore: false,
    });
  });

  it('pages through events by offset, two requests for four events in pages of two', async () => {
    const entityId = unique('sdk-pages');
    for (let seq = 0; seq < 4; seq++)
      await core.ingestEvent({ eventType: 'sdk.test.page', entityId, payload: { seq } });
    for (const order of ['asc', 'desc'] as const) {
      const before = query.tries.length;
      const seqs: unknown[] = [];
      for await (const event of query.pagesOfEvents({ entity_id: entityId, order }, 2))
        seqs.push((event.payload as { seq: number }).seq);
      expect(seqs).toEqual(order === 'asc' ? [0, 1, 2, 3] : [3, 2, 1, 0]);
      expect(query.tries.length - before).toBe(2);
    }
    const past = await query.queryEvents({ entity_id: entityId, limit: 2, offset: 99 });
    expect([past.count, past.hasMore, past.totalCount]).toEqual([0, false, 4]);
  });

  it('filters by payload and by time, with both ends inside', async () => {
    const entityId = unique('sdk-filter');
    const stamps: string[] = [];
    for (const status of ['open', 'closed', 'open'])
      stamps.push(
        (await core.ingestEvent({ eventType: 'sdk.test.filter', entityId, payload: { status } }))
          .timestamp,
      );
    const open = await query.queryEvents({
      entity_id: entityId,
      payload_filter: '{"status":"open"}',
    });
    expect(open.count).toBe(2);
    const window = await query.queryEvents({
      entity_id: entityId,
      since: stamps[0] ?? '',
      until: stamps[2] ?? '',
    });
    expect(window.count).toBe(3);
  });

  it('appends at an expected version, alone and in a batch, and is told of a conflict once', async () => {
    const entityId = unique('sdk-cas');
    const append = (expectedVersion: number) =>
      core.ingestEvent({ eventType: 'sdk.test.cas', entityId, payload: {}, expectedVersion });
    const first = await append(0);
    expect((await append(first.version ?? -1)).version).toBe(2);
    const batch = await core.ingestBatch(
      [2, 3].map((expectedVersion) => ({
        eventType: 'sdk.test.cas',
        entityId,
        payload: {},
        expectedVersion,
      })),
    );
    expect(batch.events.map(({ version }) => version)).toEqual([3, 4]);
    const before = core.tries.length;
    const error = await append(1).catch((reason: unknown) => reason);
    // The gateway's errors are objects, which the SDK knows as an answer of status 409 and not as a conflict.
    const wanted =
      addressing === 'the gateway alone'
        ? { name: 'RustApiError', status: 409 }
        : { name: 'RustVersionConflict', expected: 1, current: 4 };
    expect(error).toMatchObject(wanted);
    expect(core.tries.length - before).toBe(1);
    expect((await query.getEntityEvents(entityId)).count).toBe(4);
  });

  it('saves and reads states, one and many, and pages of them in order', async () => {
    const projection = unique('kv');
    expect(await core.projectionState(projection, 'nobody')).toBeNull();
    await core.putProjectionState(projection, 'tenant/a b', { n: 1 });
    expect(await core.projectionState(projection, 'tenant/a b')).toEqual({ n: 1 });
    const rows = Array.from(
      { length: 10 },
      (_, index) => [`tenant-00${index}`, { index }] as const,
    );
    await core.bulkPutProjectionState(projection, rows.toReversed());
    const seen: string[] = [];
    for (let offset = 0, more = true; more; offset += 4) {
      const page = await core.projectionStates(projection, { limit: 4, offset, prefix: 'tenant-' });
      expect(page.total).toBe(10);
      seen.push(...page.states.map(({ entityId }) => entityId));
      more = page.hasMore;
    }
    expect(seen).toEqual(rows.map(([entityId]) => entityId));
    const asked = ['tenant-009', 'nobody', 'tenant-000'];
    expect(await core.bulkGetProjectionStates(projection, asked)).toEqual([
      { entityId: 'tenant-009', state: { index: 9 }, found: true },
      { entityId: 'nobody', state: null, found: false },
      { entityId: 'tenant-000', state: { index: 0 }, found: true },
    ]);
    const unwritten = await core.projectionStates(unique('unwritten'));
    expect([unwritten.states, unwritten.total]).toEqual([[], 0]);
  });

  it('registers consumers, polls, acknowledges, and never loses a cursor', async () => {
    const consumerId = unique('consumer x/y');
    const eventType = `polled.${unique('t').replaceAll('-', '_')}`;
    expect(await core.loadCheckpoint(consumerId)).toBeNull();
    const made = await core.registerConsumer(consumerId, [eventType]);
    expect(made).toEqual({ consumerId, eventTypeFilters: [eventType], cursorPosition: null });
    for (let n = 0; n < 3; n++)
      await core.ingestEvent({ eventType, entityId: unique('p'), payload: { n } });
    const polled = await core.pollConsumerEvents(consumerId, 2);
    expect(polled.map(({ event }) => event.payload)).toEqual([{ n: 0 }, { n: 1 }]);
    await core.saveCheckpoint(consumerId, polled[1]?.position ?? 0);
    await core.saveCheckpoint(consumerId, polled[0]?.position ?? 0);
    expect(await core.loadCheckpoint(consumerId)).toBe(polled[1]?.position);
    const again = await core.registerConsumer(consumerId, [eventType]);
    expect(again.cursorPosition).toBe(polled[1]?.position);
    const rest = await core.pollConsumerEvents(consumerId, 100);
    expect(rest.map(({ event }) => event.payload)).toEqual([{ n: 2 }]);
    await expect(core.saveCheckpoint(consumerId, 1_000_000_000)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('beyond the latest event offset'),
    });
  });

  it('was never answered in a way that it would repeat', () => {
    const statuses = [...core.tries, ...query.tries].map(({ status }) => status ?? 0);
    expect(statuses.length).toBeGreaterThan(50);
    expect(statuses.filter((status) => status < 200 || status >= 500 || status === 429)).toEqual(
      [],
    );
  });

  it('previews and runs a replay', async () => {
    const preview = await query.previewReplay('event_counters');
    expect(preview).toMatchObject({ projection_name: 'event_counters', ready_to_replay: true });
    let run = await query.startReplay('event_counters');
    while (run.status === 'running' || run.status === 'pending')
      run = await query.getReplay(run.replayId);
    expect([run.status, run.processedEvents]).toEqual(['completed', run.totalEvents]);
    const before = query.tries.length;
    const refused = query.startReplay('no-such-projection');
    await expect(refused).rejects.toMatchObject({ name: 'RustApiError' });
    expect(query.tries.length - before).toBe(1);
  });
});

describe('the Rust SDK without a server', () => {
  const options = { url: 'http://127.0.0.1:1', apiKey: 'key', retriesMax: 0 };

  it('says that the connection failed', async () => {
    await expect(new RustCoreClient(options).health()).rejects.toBeInstanceOf(SdkConnectionError);
  });

  it('stops asking after as many failures as its breaker allows', async () => {
    const client = new RustCoreClient({ ...options, breakerThreshold: 2 });
    for (let n = 0; n < 2; n++)
      await expect(client.health()).rejects.toBeInstanceOf(SdkConnectionError);
    await expect(client.health()).rejects.toBeInstanceOf(SdkCircuitOpenError);
    expect(client.tries).toHaveLength(2);
  });
});
