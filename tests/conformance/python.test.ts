/**
 * The Python SDK, which has no integration test of its own: what its mock tests expect of a server. It knows one address and writes no version into its paths.
 * It is meant for the gateway; core takes it too, except that the SDK cannot read core's errors.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ADDRESSINGS, addressesOf, conformanceStore, TEST_KEY, unique } from './addressings.ts';
import { PythonAllSourceError, PythonClient } from './sdk/python.ts';

const store = conformanceStore();

describe.each(ADDRESSINGS)('the Python SDK through %s', (addressing) => {
  let writer: PythonClient;
  let reader: PythonClient;

  beforeAll(() => {
    const { writes, reads } = addressesOf(store(), addressing);
    writer = new PythonClient({ apiKey: TEST_KEY, baseUrl: writes });
    reader = new PythonClient({ apiKey: TEST_KEY, baseUrl: reads });
  });

  it('finds the services healthy', async () => {
    expect((await writer.health())['status']).toBe('healthy');
    expect((await reader.health())['status']).toBe('healthy');
  });

  it('gets the whole event back that it appends', async () => {
    const entityId = unique('py-single');
    const event = await writer.ingest('user.signup', entityId, { plan: 'pro' });
    expect(event).toMatchObject({
      entityId,
      eventType: 'user.signup',
      payload: { plan: 'pro' },
      version: 1,
    });
    expect((await reader.eventsOfEntity(entityId)).events).toEqual([event]);
  });

  it('gets whole events back from a batch', async () => {
    const entity_id = unique('py-batch');
    const events = await writer.ingestBatch(
      [1, 2].map((n) => ({ event_type: 'user.updated', entity_id, payload: { n } })),
    );
    expect(events.map(({ payload, version }) => [payload, version])).toEqual([
      [{ n: 1 }, 1],
      [{ n: 2 }, 2],
    ]);
    expect((await reader.query({ entity_id })).events).toEqual(events);
    expect(await writer.ingestBatch([])).toEqual([]);
  });

  it('queries by entity, type and time, in pages', async () => {
    const entity_id = unique('py-query');
    const event_type = `py.${entity_id.replaceAll('-', '_')}`;
    const made = await writer.ingestBatch(
      [1, 2, 3].map((n) => ({ event_type, entity_id, payload: { n } })),
    );
    expect((await reader.eventsOfType(event_type)).count).toBe(3);
    const page = await reader.query({ event_type, limit: 2, offset: 1 });
    expect([page.count, page.events]).toEqual([2, made.slice(1)]);
    const [first, last] = [made[0]?.timestamp ?? '', made[2]?.timestamp ?? ''];
    expect((await reader.query({ entity_id, start: first, end: last })).count).toBe(3);
    expect((await reader.query({ entity_id, end: '2000-01-01T00:00:00Z' })).count).toBe(0);
    expect((await reader.query({ entity_id: unique('none') })).events).toEqual([]);
  });

  it('lists the projections and reads one', async () => {
    const projections = await reader.projections();
    expect(projections.map(({ name }) => name).toSorted()).toEqual([
      'entity_snapshots',
      'event_counters',
    ]);
    const one = await reader.projection('entity_snapshots');
    expect(one).toEqual({ id: 'entity_snapshots', name: 'entity_snapshots' });
  });

  it('creates a projection, whose definition is the source of a reducer, and finds it in the list', async () => {
    const name = unique('counted');
    const source = '(state, event) => ({ count: (state.count ?? 0) + 1 })';
    expect(await writer.createProjection(name, source)).toEqual({ id: name, name });
    expect(await reader.projection(name)).toEqual({ id: name, name });
    expect((await reader.projections()).map((projection) => projection.name)).toEqual([
      'entity_snapshots',
      'event_counters',
      name,
    ]);
    await store().ask(`/api/v1/projections/${name}`, { method: 'DELETE' });
  });

  it('runs a replay', async () => {
    const id = await reader.startProjectionReplay('event_counters');
    while (['pending', 'running'].includes(await reader.projectionReplayStatus(id))) continue;
    expect(await reader.projectionReplayStatus(id)).toBe('completed');
  });

  it('reads the errors of the gateway, and falls over those of core', async () => {
    const error = await writer.ingest('Upper', 'e', {}).catch((reason: unknown) => reason);
    const wanted =
      addressing === 'the gateway alone'
        ? { name: 'PythonAllSourceError', statusCode: 400, code: 'invalid_event_type' }
        : { name: 'PythonAttributeError' };
    expect(error).toMatchObject(wanted);
  });
});

describe('the Python SDK at the gateway', () => {
  it('gets every kind of error in the form that it reads', async () => {
    const client = new PythonClient({ apiKey: TEST_KEY, baseUrl: store().url });
    const stranger = new PythonClient({ apiKey: 'nobody', baseUrl: store().url });
    const calls: [() => Promise<unknown>, number, string][] = [
      [() => stranger.query(), 401, 'unauthenticated'],
      [() => client.ingest('a.b', ' ', {}), 400, 'invalid_entity_id'],
      [() => client.query({ limit: -1 }), 400, 'invalid_parameter'],
      [() => client.projection('unknown'), 404, 'not_found'],
      [() => client.projectionReplayStatus('none'), 404, 'not_found'],
    ];
    for (const [call, statusCode, code] of calls) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PythonAllSourceError);
      expect(error).toMatchObject({ statusCode, code: expect.stringContaining(code) });
    }
  });
});
