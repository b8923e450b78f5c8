/**
 * Upcasters as a client meets them: a schema in three versions, events written under each, and reads of all of them in the form of the newest. The values of the test are
 * ones that a parse would change.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { Followed, type FollowedEvent } from '../support/followed.ts';
import { RunningStore } from '../support/running-store.ts';

const V1 = {
  type: 'object',
  required: ['name', 'cents'],
  properties: { name: { type: 'string', examples: ['Ada L'] }, cents: { type: 'integer' } },
};
const V2 = {
  type: 'object',
  required: ['first', 'cents'],
  properties: { first: { type: 'string' }, last: { type: 'string' }, cents: { type: 'integer' } },
};
const V3 = {
  type: 'object',
  required: ['person', 'amount'],
  properties: {
    person: { type: 'object', required: ['first'], properties: { first: { type: 'string' } } },
    amount: { type: 'string', pattern: '^[0-9]+$' },
  },
};
const SPLIT = [{ op: 'split', from: '/name', to: ['/first', '/last'], separator: ' ' }];
const NEST = [
  { op: 'move', from: '/first', to: '/person/first' },
  { op: 'move', from: '/last', to: '/person/last' },
  { op: 'rename', path: '/cents', to: 'amount' },
  { op: 'cast', path: '/amount', to: 'string' },
];
const OLD_PAYLOAD = '{"name":"Ada Lovelace","cents":12345678901234567890,"extra":{ "n":1.0 }}';
const AS_V2 = '{"cents":12345678901234567890,"extra":{ "n":1.0 },"first":"Ada","last":"Lovelace"}';
const AS_V3 =
  '{"extra":{ "n":1.0 },"person":{"first":"Ada","last":"Lovelace"},"amount":"12345678901234567890"}';
const TYPE = 'person.paid';
const CHAIN = `/api/v1/schemas/${TYPE}/upcasters`;

const formOf = (event: FollowedEvent) => [event['schema_version'], event['stored_schema_version']];

describe('upcasters', () => {
  let store: RunningStore;
  let otherKey = '';

  const send = (method: string, path: string, body?: object | string): Promise<Answer> =>
    store.ask(path, {
      method,
      ...(body === undefined
        ? {}
        : {
            body: typeof body === 'string' ? body : JSON.stringify(body),
            headers: { 'content-type': 'application/json' },
          }),
    });
  const register = (schema: object, more: object = {}) =>
    send('POST', '/api/v1/schemas', { subject: TYPE, schema, ...more });
  const append = (entity: string, payload: string, metadata = 'null') =>
    send(
      'POST',
      '/api/v1/events',
      `{"event_type":"${TYPE}","entity_id":"${entity}","payload":${payload},"metadata":${metadata}}`,
    );
  const query = (parameters: string) => store.ask(`/api/v1/events/query?${parameters}`);

  const asOther = (path: string, init: RequestInit = {}) =>
    store.ask(path, {
      ...init,
      headers: { authorization: `Bearer ${otherKey}`, 'content-type': 'application/json' },
    });

  beforeAll(async () => {
    store = await RunningStore.start();
    await send('PUT', `/api/v1/schemas/${TYPE}/compatibility`, { mode: 'NONE' });
    await send('POST', '/api/v1/tenants', { id: 'other', name: 'Other' });
    const key = await send('POST', '/api/v1/auth/api-keys', {
      name: 'other',
      role: 'admin',
      tenant_id: 'other',
    });
    otherKey = key.body.key;
    await append('before', OLD_PAYLOAD);
    await register(V1);
    await append('p-1', OLD_PAYLOAD);
  }, 60_000);

  afterAll(async () => {
    await store?.remove();
  }, 60_000);

  it('come with a version in one commit, or in a chain without a gap', async () => {
    const wrong = await register(V2, { upcaster: { mappings: [] } });
    expect(wrong).toMatchObject({ status: 400, body: { error: { code: 'invalid_upcaster' } } });
    expect(wrong.body.error.message).toContain('/upcaster/mappings');
    expect((await send('GET', `/api/v1/schemas/${TYPE}/versions`)).body.versions).toEqual([1]);

    const second = await register(V2, { upcaster: { mappings: SPLIT } });
    expect(second).toMatchObject({ status: 200, body: { version: 2 } });
    expect(second.body).not.toHaveProperty('versions_without_path');
    expect((await send('GET', CHAIN)).body).toMatchObject({
      newest_version: 2,
      complete: true,
      versions_without_path: [],
      upcasters: [{ from_version: 1, to_version: 2, mappings: SPLIT }],
    });
    await append('p-2', '{"first":"Bo","cents":7}');
    expect((await register(V3)).body).toMatchObject({ version: 3, versions_without_path: [1, 2] });
    expect((await send('GET', CHAIN)).body).toMatchObject({
      complete: false,
      versions_without_path: [1, 2],
    });
  });

  it('are refused while a gap would stay, when they do not fit, and when they are no mappings', async () => {
    const gap = await send('PUT', `${CHAIN}/1`, { mappings: SPLIT });
    expect(gap).toMatchObject({ status: 409, body: { error: { code: 'upcasters_incomplete' } } });
    const misfit = await send('PUT', `${CHAIN}/2`, { mappings: NEST.slice(0, 2) });
    expect(misfit).toMatchObject({ status: 400, body: { error: { code: 'invalid_upcaster' } } });
    const unknown = await send('PUT', `${CHAIN}/2`, { mappings: [{ op: 'run', path: '/a' }] });
    expect(unknown.body.error.message).toContain("'/mappings/0/op'");
    const body = { upcasters: [{ from_version: 2, mappings: NEST }] };
    expect((await send('PUT', CHAIN, body)).status).toBe(409);
    expect((await send('PUT', `${CHAIN}/9`, { mappings: [] })).status).toBe(400);
    expect((await send('GET', CHAIN)).body.upcasters).toHaveLength(1);
  });

  it('leave an event that no chain brings there without its payload, and say why', async () => {
    const answer = await query('entity_id=p-1&upcast=true');
    expect(answer.body).toMatchObject({ count: 1, upcast_errors: 1 });
    expect(answer.body.events[0]).toMatchObject({
      payload: null,
      schema_version: null,
      stored_schema_version: 1,
      upcast_error: { code: 'upcast_failed', target_version: 3 },
    });
    const state = await store.ask('/api/v1/entities/p-1/state?upcast=true');
    expect(state).toMatchObject({ status: 422, body: { error: { code: 'upcast_failed' } } });
    const set = await store.ask(`/api/schemas/${TYPE}/upcasters/2`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ mappings: NEST }),
    });
    expect(set).toMatchObject({ status: 200, body: { from_version: 2, to_version: 3 } });
  });

  it('bring events of every age into the newest form, and into any other asked for', async () => {
    await append('p-3', '{"person":{"first":"Cy"},"amount":"1"}');
    await append('p-4', '{"first":"Di","cents":5}', '{"schema_version":2}');
    await append('p-5', '{"name":"Eve","cents":1.5}', '{"schema_version":1}');
    const stored = await query(`event_type=${TYPE}`);
    expect(stored.text).toContain(`"payload":${OLD_PAYLOAD}`);
    expect(stored.text).not.toContain('schema_version":1,');
    const newest = await query(`event_type=${TYPE}&upcast=true`);
    expect(newest.text.split(`"payload":${AS_V3},`)).toHaveLength(3);
    const versions = newest.body.events.map(
      (event: { schema_version: number | null; stored_schema_version: number }) => [
        event.schema_version,
        event.stored_schema_version,
      ],
    );
    expect(versions).toEqual([
      [3, 1],
      [3, 1],
      [3, 2],
      [3, 3],
      [3, 2],
      [null, 1],
    ]);
    expect(newest.body.upcast_errors).toBe(1);
    expect(newest.body.events[5].upcast_error.violations).toEqual([
      expect.objectContaining({ pointer: '/amount', rule: 'pattern' }),
    ]);
    const second = await query('entity_id=p-1&upcast=2');
    expect(second.text).toContain(`"payload":${AS_V2},`);
    const { id } = second.body.events[0];
    for (const base of [store.url, store.coreUrl]) {
      const one = await store.ask(`${base}/api/v1/events/${id}?upcast=true`);
      expect(one.text).toContain(`"payload":${AS_V3},`);
      const ofEntity = await store.ask(`${base}/api/v1/events/query?entity_id=p-1&upcast=true`);
      expect(ofEntity.text).toContain(`"payload":${AS_V3},`);
    }
    const streamed = await fetch(
      `${store.url}/api/v1/events/query?event_type=${TYPE}&upcast=true&order=position`,
      { headers: { authorization: `Bearer ${store.apiKey}`, accept: 'application/x-ndjson' } },
    );
    const lines = await streamed.text();
    expect(lines.trim().split('\n')).toEqual(
      newest.body.events.map(() => expect.stringContaining('"stored_schema_version"')),
    );
    expect(lines.split(`"payload":${AS_V3},`)).toHaveLength(3);
    const state = await store.ask('/api/v1/entities/p-1/state?upcast=true');
    expect(state.text).toContain(`"current_state":${AS_V3},`);
    expect((await query('upcast=yes')).status).toBe(400);
  });

  it('are done on what consumers poll and on live streams: on what is there, and on what comes', async () => {
    await send('POST', '/api/v1/consumers', { consumer_id: 'form', event_type_filters: [TYPE] });
    const forms = [
      [3, 1],
      [3, 1],
      [3, 2],
      [3, 3],
      [3, 2],
      [null, 1],
    ];
    const stored = await send('GET', '/api/v1/consumers/form/events');
    expect(stored.text).not.toContain('"schema_version":1,');
    const polled = await send('GET', '/api/v1/consumers/form/events?upcast=true');
    expect(polled.body).toMatchObject({ count: 6, upcast_errors: 1 });
    expect(polled.body.events.map(formOf)).toEqual(forms);
    expect(polled.text.split(`"payload":${AS_V3},`)).toHaveLength(3);
    const streams = [
      await Followed.overWebSocket(store, 'consumer_id=form&upcast=true'),
      await Followed.overEvents(store, `from=0&event_type=${TYPE}&upcast=true`),
    ];
    for (const stream of streams) {
      await stream.until(forms.length);
      expect(stream.events.map(formOf)).toEqual(forms);
      expect(stream.events[5]).toMatchObject({
        payload: null,
        upcast_error: { target_version: 3 },
      });
      expect(stream.text.split(`"payload":${AS_V3},`)).toHaveLength(3);
    }
    await append('p-6', '{"first":"Flo","cents":12345678901234567890}', '{"schema_version":2}');
    for (const stream of streams) {
      await stream.until(forms.length + 1);
      expect(stream.text).toContain(
        '"payload":{"person":{"first":"Flo"},"amount":"12345678901234567890"},',
      );
      expect(formOf(stream.events[6] ?? {})).toEqual([3, 2]);
      stream.close();
    }
    for (const path of ['consumers/form/events?upcast=newest', 'events/sse?upcast=0'])
      expect((await send('GET', `/api/v1/${path}`)).body.error).toMatchObject({
        code: 'invalid_parameter',
      });
  }, 60_000);

  it('show in the history of the schema, on both ports', async () => {
    for (const base of [store.url, store.coreUrl]) {
      const history = await send('GET', `${base}/api/v1/schema-evolution/history/${TYPE}`);
      expect(history.body).toMatchObject({ event_type: TYPE, total: 3, has_more: false });
      expect(history.body.versions.map((one: { version: number }) => one.version)).toEqual([
        1, 2, 3,
      ]);
      expect(history.body.versions[0]).toMatchObject({ previous_version: null, changes: [] });
      expect(history.body.versions[1]).toMatchObject({ compatibility: 'NONE', changes_cut: false });
      expect(history.body.versions[1].changes).toEqual([
        { change: 'removed', pointer: '/required', before: 'name' },
        { change: 'added', pointer: '/required', after: 'first' },
        { change: 'removed', pointer: '/properties/name', before: V1.properties.name },
        { change: 'added', pointer: '/properties/first', after: { type: 'string' } },
        { change: 'added', pointer: '/properties/last', after: { type: 'string' } },
      ]);
      const schema = await send('GET', `${base}/api/v1/schema-evolution/schema/${TYPE}`);
      expect(schema.body).toMatchObject({
        version: 3,
        schema: V3,
        versions: [{ version: 1 }, { version: 2 }, { version: 3 }],
        upcasters: { count: 2, complete: true },
      });
      const stats = await send('GET', `${base}/api/v1/schema-evolution/stats`);
      expect(stats.body).toMatchObject({
        total_subjects: 1,
        total_versions: 3,
        total_upcasters: 2,
        subjects_by_compatibility: { NONE: 1, BACKWARD: 0 },
      });
    }
    const window = await send('GET', `/api/schema-evolution/history/${TYPE}?offset=1&limit=1`);
    expect(window.body).toMatchObject({ has_more: true, versions: [{ version: 2 }] });
    expect(window.body.versions[0].changes).toHaveLength(5);
  });

  it('are of their tenant alone', async () => {
    const event = `{"event_type":"${TYPE}","entity_id":"p-1","payload":${OLD_PAYLOAD}}`;
    expect((await asOther('/api/v1/events', { method: 'POST', body: event })).status).toBe(201);
    const answer = await asOther(`/api/v1/events/query?event_type=${TYPE}&upcast=true`);
    expect(answer.text).toContain(`"payload":${OLD_PAYLOAD}`);
    expect(answer.body.events[0]).toMatchObject({ schema_version: null });
    expect((await asOther(CHAIN)).status).toBe(404);
    const history = await asOther(`/api/v1/schema-evolution/history/${TYPE}`);
    expect(history).toMatchObject({ status: 404, body: { error: { code: 'schema_not_found' } } });
    const stats = await asOther('/api/v1/schema-evolution/stats');
    expect(stats.body).toMatchObject({ total_subjects: 0, bytes: 0 });
    const stolen = await asOther(`${CHAIN}/1`, { method: 'DELETE' });
    expect(stolen.status).toBe(404);
  });

  it('are there again after a restart, and gone when they are removed', async () => {
    const before = (await send('GET', CHAIN)).text;
    await store.stop();
    await store.launch();
    expect((await send('GET', CHAIN)).text).toBe(before);
    const newest = await query('entity_id=before&upcast=true');
    expect(newest.text).toContain(`"payload":${AS_V3},`);
    const deleted = await send('DELETE', `${CHAIN}/1`);
    expect(deleted.body).toEqual({ subject: TYPE, from_version: 1, deleted: true });
    expect((await send('GET', `${CHAIN}/1`)).status).toBe(404);
    expect((await query('entity_id=before&upcast=true')).body.upcast_errors).toBe(1);
    const again = {
      upcasters: [{ from_version: 1, to_version: 3, mappings: [...SPLIT, ...NEST] }],
    };
    expect((await send('PUT', CHAIN, again)).status).toBe(409);
    const inFunction = await send('PUT', CHAIN, {
      upcasters: [
        { from_version: 1, mappings: SPLIT, samples: [{ name: 'A B', cents: 1 }] },
        {
          from_version: 2,
          function: "(p) => ({ person: { first: p.first, last: 'X' }, amount: String(p.cents) })",
        },
      ],
    });
    expect(inFunction).toMatchObject({ status: 200, body: { complete: true } });
    expect((await query('entity_id=p-2&upcast=true')).text).toContain(
      '"payload":{"person":{"first":"Bo","last":"X"},"amount":"7"},',
    );
    const state = await store.ask('/api/v1/entities/p-2/state?upcast=true');
    expect(state.body.current_state).toEqual({ person: { first: 'Bo', last: 'X' }, amount: '7' });
    expect(state.body.history).toHaveLength(1);
    const endless = await send('PUT', `${CHAIN}/2`, { function: '() => { for (;;); }' });
    expect(endless.body.error).toMatchObject({ code: 'invalid_upcaster' });
    expect(endless.body.error.message).toContain('steps');
    const whole = [
      ...again.upcasters,
      { from_version: 2, mappings: NEST, samples: [{ first: 'B', cents: 1 }] },
    ];
    const set = await send('PUT', CHAIN, { upcasters: whole });
    expect(set).toMatchObject({ status: 200, body: { complete: true } });
    expect((await query('entity_id=before&upcast=true')).text).toContain(`"payload":${AS_V3},`);
  }, 60_000);
});
