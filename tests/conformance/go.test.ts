/** The integration test of the Go SDK, and its errors, against the three addressings. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ADDRESSINGS, addressesOf, conformanceStore, TEST_KEY, unique } from './addressings.ts';
import { GoApiError, GoClient } from './sdk/go.ts';

const store = conformanceStore();

describe.each(ADDRESSINGS)('the Go SDK through %s', (addressing) => {
  let writer: GoClient;
  let reader: GoClient;

  beforeAll(() => {
    const { writes, reads } = addressesOf(store(), addressing);
    writer = new GoClient({ apiKey: TEST_KEY, baseUrl: writes });
    reader = new GoClient({ apiKey: TEST_KEY, baseUrl: reads });
  });

  it('finds the services healthy', async () => {
    expect((await writer.health())['status']).toBe('healthy');
    expect((await reader.health())['status']).toBe('healthy');
  });

  it('reads an event that it has appended', async () => {
    const entityId = unique('go-single');
    const { eventId, timestamp } = await writer.ingest('sdk.test.created', entityId, { value: 42 });
    const { events, count } = await reader.query({ entityId });
    expect([count, events]).toEqual([
      1,
      [
        {
          id: eventId,
          entityId,
          eventType: 'sdk.test.created',
          payload: { value: 42 },
          metadata: null,
          timestamp,
          version: 1,
        },
      ],
    ]);
  });

  it('appends a batch', async () => {
    const entityId = unique('go-batch');
    const answer = await writer.ingestBatch(
      Array.from({ length: 5 }, (_, index) => ({
        event_type: `sdk.test.batch.item${index}`,
        entity_id: entityId,
        payload: { index },
      })),
    );
    expect([answer.total, answer.ingested]).toEqual([5, 5]);
    expect(new Set(answer.events.map(({ eventId }) => eventId)).size).toBe(5);
    expect((await reader.query({ entityId })).count).toBe(5);
  });

  it('filters by type and time, limits, and gets nothing for what is not there', async () => {
    const entityId = unique('go-filter');
    const eventType = `sdk.test.${entityId.replaceAll('-', '_')}`;
    const stamps: string[] = [];
    for (let seq = 0; seq < 3; seq++)
      stamps.push((await writer.ingest(eventType, entityId, { seq })).timestamp);
    expect((await reader.query({ eventType })).count).toBe(3);
    expect((await reader.query({ entityId, limit: 2 })).events).toHaveLength(2);
    const last = await reader.query({ entityId, limit: 2, offset: 2 });
    expect(last.events.map(({ payload }) => payload)).toEqual([{ seq: 2 }]);
    const window = { start: stamps[0] ?? '', end: stamps[2] ?? '' };
    expect((await reader.query({ entityId, ...window })).count).toBe(3);
    expect(await reader.query({ entityId: unique('none') })).toEqual({ events: [], count: 0 });
  });

  it('gets payloads back as they were, in order', async () => {
    const entityId = unique('go-fidelity');
    const payloads = [0, 1, 2, 3, 4].map((seq) => ({
      seq,
      text: '日本語 🦀\n',
      none: null,
      nested: { list: [1, 2.5, -3] },
    }));
    for (const payload of payloads) await writer.ingest('sdk.test.fidelity', entityId, payload);
    const { events } = await reader.query({ entityId });
    expect(events.map(({ payload }) => payload)).toEqual(payloads);
  });

  it('lists the projections, each member of the type that it declares', async () => {
    const { names, total } = await reader.projections();
    expect([names.toSorted(), total]).toEqual([['entity_snapshots', 'event_counters'], 2]);
  });

  it('reads the list when the tenant has a projection of its own too', async () => {
    const made = await store().post('/api/v1/projections', { template: 'event-count' });
    const isServed = made.status !== 501;
    if (!isServed) console.info("not served, and said so: projections of a tenant's own");
    const own = isServed ? ['event-count'] : [];
    expect((await reader.projections()).names).toEqual([
      'entity_snapshots',
      'event_counters',
      ...own,
    ]);
    await store().ask('/api/v1/projections/event-count', { method: 'DELETE' });
  });

  it('previews and starts a replay', async () => {
    const preview = await reader.analyzeProjectionReplay('event_counters');
    expect(preview).toEqual({ name: 'event_counters', events: expect.any(Number) });
    const id = await reader.startProjectionReplay('event_counters');
    let replay = await reader.projectionReplay(id);
    while (['pending', 'running'].includes(replay.status))
      replay = await reader.projectionReplay(id);
    expect(replay).toEqual({ id, status: 'completed' });
  });

  it('tells errors by their code at the gateway and shows the answer of core as it came', async () => {
    const entityId = unique('go-errors');
    const error = await writer.ingest('Upper', entityId, {}).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GoApiError);
    const isGateway = addressing === 'the gateway alone';
    expect(error).toMatchObject({
      statusCode: 400,
      code: isGateway ? 'invalid_event_type' : 'api_error',
      message: expect.stringContaining('Upper'),
    });
    expect(writer.tries.at(-1)).toMatchObject({ method: 'POST', status: 400 });
  });

  it('repeats nothing that is not going to pass', async () => {
    const patient = new GoClient({
      apiKey: 'wrong-key',
      baseUrl: addressesOf(store(), addressing).writes,
      retriesMax: 3,
    });
    await expect(patient.query({})).rejects.toMatchObject({ statusCode: 401 });
    expect(patient.tries).toHaveLength(1);
  });
});
