/** Schemas over HTTP on a whole core: their registry, and what they do to appends on every way in. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { type Asking, CoreWorld } from '../support/core-world.ts';

const ORDER = {
  type: 'object',
  properties: { sku: { type: 'string' }, total: { type: 'number', minimum: 0 } },
  required: ['sku'],
};
const GOOD = { sku: 'a-1', total: 3 };

function event(payload: unknown, entity = 'order-1', type = 'order.placed') {
  return { event_type: type, entity_id: entity, payload };
}

describe('schemas', () => {
  let world: CoreWorld;

  beforeEach(async () => {
    world = await CoreWorld.start();
  });

  afterEach(() => world.remove());

  const register = (schema: unknown, asking: Asking & { subject?: string } = {}) => {
    const { subject = 'order.placed', ...rest } = asking;
    return world.ask('POST', '/api/v1/schemas', { body: { subject, schema }, ...rest });
  };
  const enforce = (mode: string, tenant = 'default') =>
    world.ask('PUT', `/api/v1/tenants/${tenant}/schema-enforcement`, { body: { mode } });
  const append = (body: unknown, asking: Asking = {}) =>
    world.ask('POST', '/api/v1/events', { body, ...asking });
  const batch = (events: unknown[], asking: Asking = {}) =>
    world.ask('POST', '/api/v1/events/batch', { body: { events }, ...asking });
  const eventCount = async () => (await world.ask('GET', '/api/v1/stats')).body.total_events;
  const metric = async (line: string) => {
    const { text } = await world.ask('GET', '/metrics');
    const found = text.split('\n').find((metricLine) => metricLine.startsWith(`${line} `));
    return Number(found?.split(' ')[1] ?? 0);
  };

  describe('in the registry', () => {
    it('get the versions 1, 2, 3 and are answered as they were sent', async () => {
      const text = '{"type":"object", "properties":{"n":{"maximum":1.0}}}';
      const body = `{"subject":"order.placed","schema":${text},"description":"An order","tags":["sales"]}`;
      const first = await world.ask('POST', '/api/v1/schemas', { body });
      expect(first).toMatchObject({
        status: 200,
        body: { subject: 'order.placed', version: 1, schema_id: expect.any(String) },
      });
      expect((await register(ORDER)).status).toBe(400);
      const second = await world.ask('POST', '/api/v1/schemas', { body });
      expect(second.body.version).toBe(2);
      const got = await world.ask('GET', '/api/v1/schemas/order.placed?version=1');
      expect(got.text).toContain(`"schema":${text}`);
      expect(got.body).toMatchObject({
        id: first.body.schema_id,
        version: 1,
        created_at: first.body.created_at,
        description: 'An order',
        tags: ['sales'],
      });
      const newest = await world.ask('GET', '/api/v1/schemas/order.placed');
      expect(newest.body).toMatchObject({ version: 2, compatibility: 'BACKWARD' });
      const list = await world.ask('GET', '/api/v1/schemas');
      expect(list.body).toEqual({ subjects: ['order.placed'], total: 1 });
      const versions = await world.ask('GET', '/api/v1/schemas/order.placed/versions');
      expect(versions.body).toEqual({ subject: 'order.placed', versions: [1, 2] });
      expect((await world.ask('GET', '/api/v1/stats')).body.total_schemas).toBe(1);
    });

    it.each(['/api/v1/schemas/nothing.here', '/api/v1/schemas/nothing.here/versions'])(
      'that do not exist are answered 404: %s',
      async (path) => {
        const answer = await world.ask('GET', path);
        expect(answer).toMatchObject({ status: 404, body: { code: 'schema_not_found' } });
      },
    );

    it('keep what the compatibility asks for, and the refusal names the field and the rule', async () => {
      await register(ORDER);
      const narrower = { ...ORDER, required: ['sku', 'total'] };
      const refused = await register(narrower);
      expect(refused.status).toBe(400);
      expect(refused.body.error).toMatch(
        /^Validation error: Schema compatibility check failed: Backward compatibility: field 'total' became required \(at '\/total', rule 'required'\)/,
      );
      const set = await world.ask('PUT', '/api/v1/schemas/order.placed/compatibility', {
        body: { mode: 'none' },
      });
      expect(set).toMatchObject({
        status: 200,
        body: { subject: 'order.placed', compatibility: 'NONE' },
      });
      expect((await register(narrower)).body.version).toBe(2);
      const other = { body: { compatibility: 'Forward' } };
      await world.ask('PUT', '/api/v1/schemas/order.placed/compatibility', other);
      expect((await register(ORDER)).body.error).toContain(
        "Forward compatibility: field 'total' is no longer required",
      );
      const bad = { body: { compatibility: 'sideways' } };
      const wrong = await world.ask('PUT', '/api/v1/schemas/order.placed/compatibility', bad);
      expect(wrong).toMatchObject({ status: 422, body: { allowed: expect.any(Array) } });
    });

    it.each([
      ['no schema', '"text"', 'must be an object'],
      ['an unknown type', '{"type":"strin"}', '/type'],
      ['a remote reference', '{"$ref":"https://example.com/a.json"}', 'never fetched'],
      ['a file reference', '{"$ref":"file:///etc/passwd"}', 'never fetched'],
      ['a back-reference', '{"pattern":"(a)\\\\1"}', 'back-reference'],
      ['a look-ahead', '{"pattern":"(?=a)b"}', 'look-around'],
      ['repetitions without measure', '{"pattern":"((a{200}){200}){9}"}', 'repeat less'],
      ['a reference to itself', '{"allOf":[{"$ref":"#"}]}', 'refers to itself'],
      ['another dialect', '{"$schema":"http://json-schema.org/draft-04/schema#"}', 'dialect'],
    ])('are refused with %s', async (_what, schema, words) => {
      const body = `{"subject":"a.b","schema":${schema}}`;
      const answer = await world.ask('POST', '/api/v1/schemas', { body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_schema' } });
      expect(answer.body.error).toContain(words);
    });

    it('are refused above their size, and with more parts than are allowed', async () => {
      const large = { description: 'x'.repeat(LIMITS.schemaBytesMax) };
      expect((await register(large)).body).toMatchObject({ limit_bytes: LIMITS.schemaBytesMax });
      const many = { anyOf: Array.from({ length: LIMITS.schemaPartsMax + 1 }, () => true) };
      expect((await register(many)).body.error).toContain(`more than ${LIMITS.schemaPartsMax}`);
    });

    it('validate a payload without storing it, against any version', async () => {
      await register(ORDER);
      await register({ ...ORDER, properties: { ...ORDER.properties, note: { type: 'string' } } });
      const path = '/api/v1/schemas/validate';
      const payload = { note: 1, total: -1 };
      const newest = await world.ask('POST', path, { body: { subject: 'order.placed', payload } });
      expect(newest.body).toMatchObject({
        valid: false,
        schema_version: 2,
        errors: expect.arrayContaining([
          'Missing required field: sku',
          'total.Number -1 must be at least 0',
          'note.Type mismatch: expected string, got number',
        ]),
      });
      const older = { subject: 'order.placed', payload: { ...GOOD, note: 1 }, version: 1 };
      expect((await world.ask('POST', path, { body: older })).body).toMatchObject({
        valid: true,
        errors: [],
        schema_version: 1,
      });
      expect(await eventCount()).toBe(0);
    });

    it('are known after a restart, with compatibility and enforcement, from a checkpoint too', async () => {
      await register(ORDER);
      await world.ask('PUT', '/api/v1/schemas/order.placed/compatibility', {
        body: { compatibility: 'FULL' },
      });
      await enforce('strict');
      const before = (await world.ask('GET', '/api/v1/schemas/order.placed')).text;
      for (const over of [{ ALLSOURCE_CHECKPOINT_BYTES: '0' }, {}, {}]) {
        await world.restart(over);
        expect((await world.ask('GET', '/api/v1/schemas/order.placed')).text).toBe(before);
        expect((await append(event({}))).status).toBe(422);
        expect((await append(event(GOOD))).status).toBe(200);
        const [tenant] = (await world.ask('GET', '/api/v1/tenants')).body;
        expect(tenant).toMatchObject({ id: 'default', schema_enforcement: 'strict' });
      }
    });
  });

  describe('at ingest', () => {
    it('check nothing unless the tenant asks for it', async () => {
      await register(ORDER);
      expect((await append(event({}))).status).toBe(200);
      expect(await metric('allsource_schema_payloads_validated_total')).toBe(0);
    });

    it('refuse a payload that does not fit a strict tenant, in the form that clients know', async () => {
      await register(ORDER);
      const set = await enforce('strict');
      expect(set.body).toEqual({ tenant_id: 'default', schema_enforcement: 'strict' });
      const refused = await append(event({ total: 1 }));
      expect(refused.status).toBe(422);
      expect(refused.body.error).toMatchObject({
        code: 'schema_violation',
        details: {
          event_type: 'order.placed',
          schema_version: 1,
          errors: ['Missing required field: sku'],
          violations: [{ pointer: '', rule: 'required' }],
        },
      });
      expect((await append(event(GOOD))).status).toBe(200);
      expect((await append(event({ total: 1 }, 'x', 'order.paid'))).status).toBe(200);
      expect(await eventCount()).toBe(2);
      expect(await metric('allsource_schema_violations_total{enforcement="strict"}')).toBe(1);
    });

    it('store nothing of a batch with one bad event, and name its index', async () => {
      await register(ORDER);
      await enforce('strict');
      const events = [
        event(GOOD),
        event({ a: 1 }, 'x', 'other.type'),
        event({ sku: 'é' }, 'é'),
        event({ sku: 1 }),
      ];
      const refused = await batch(events);
      expect(refused).toMatchObject({ status: 422, body: { index: 3 } });
      expect(refused.body.error.details.errors).toEqual([
        'sku.Type mismatch: expected string, got number',
      ]);
      expect(await eventCount()).toBe(0);
      expect((await batch(events.slice(0, 3))).status).toBe(200);
      expect(await eventCount()).toBe(3);
    });

    it('keep the bytes of the client', async () => {
      await register({ type: 'object' });
      await enforce('strict');
      const payload = '{"n": 12345678901234567890, "m":1.0,  "__proto__": {"x":1}}';
      const body = `{"event_type":"order.placed","entity_id":"e","payload":${payload}}`;
      expect((await append(body)).status).toBe(200);
      const got = await world.ask('GET', '/api/v1/events/query?entity_id=e');
      expect(got.text).toContain(payload);
    });

    it('count and say what does not fit a tenant that warns, and store it', async () => {
      await register(ORDER);
      await enforce('warn');
      const stored = await batch([event(GOOD), event({}), event({})]);
      expect(stored.status).toBe(200);
      expect(stored.headers.get('schema-warnings')).toBe('2');
      expect((await append(event(GOOD))).headers.get('schema-warnings')).toBeNull();
      expect((await append(event({}))).headers.get('schema-warnings')).toBe('1');
      expect(await eventCount()).toBe(5);
      expect(await metric('allsource_schema_violations_total{enforcement="warn"}')).toBe(3);
      expect(await metric('allsource_schema_payloads_validated_total')).toBe(5);
    });

    it('do not judge again what is stored under the same idempotency key', async () => {
      const headers = { 'idempotency-key': 'once' };
      const first = await append(event({}), { headers });
      await register(ORDER);
      await enforce('strict');
      const again = await append(event({}), { headers });
      expect(again).toMatchObject({ status: 200, text: first.text });
      expect((await append(event({}), { headers: { 'idempotency-key': 'new' } })).status).toBe(422);
      expect((await append(event({ other: 1 }), { headers })).body.code).toBe(
        'idempotency_key_reused',
      );
    });

    it('judge lines group by group: the groups before a bad one are stored', async () => {
      await register(ORDER);
      await enforce('strict');
      const lines = [GOOD, GOOD, {}, GOOD].map((payload) => `${JSON.stringify(event(payload))}\n`);
      const asking = { body: lines.join(''), headers: { 'content-type': 'application/x-ndjson' } };
      const answer = await world.ask('POST', '/api/v1/events/batch?group_lines=2', asking);
      const last = JSON.parse(answer.text.trimEnd().split('\n').at(-1) ?? '');
      expect(last).toMatchObject({
        kind: 'problem',
        code: 'schema_violation',
        line: 3,
        durable_lines: 2,
      });
      expect(await eventCount()).toBe(2);
      await enforce('warn');
      const warned = await world.ask('POST', '/api/v1/events/batch?group_lines=2', asking);
      expect(
        warned.text.split('\n').map((line) => JSON.parse(line || '{}').schema_warnings),
      ).toEqual([undefined, 1, undefined, undefined]);
    });

    it('judge a large batch in turns, to its last event', async () => {
      await register({ type: 'object', properties: { text: { maxLength: 2000 } } });
      await enforce('strict');
      const events = Array.from({ length: 3000 }, (_, i) =>
        event({ text: 'x'.repeat(1500) }, `e-${i}`),
      );
      expect((await batch(events)).status).toBe(200);
      events[2999] = event({ text: 'x'.repeat(2001) });
      expect(await batch(events)).toMatchObject({ status: 422, body: { index: 2999 } });
      expect(await eventCount()).toBe(3000);
    });

    it('take the newest version at once', async () => {
      await register(ORDER);
      await enforce('strict');
      expect((await append(event({}))).status).toBe(422);
      await register({ type: 'object' });
      expect((await append(event({}))).status).toBe(200);
    });
  });

  describe('of one tenant', () => {
    it('are not there for another, and never judge its events', async () => {
      const key = await world.addTenant('globex');
      await register(ORDER);
      await enforce('strict');
      await enforce('strict', 'globex');
      const asking = { key };
      expect((await world.ask('GET', '/api/v1/schemas', asking)).body.total).toBe(0);
      expect((await world.ask('GET', '/api/v1/schemas/order.placed', asking)).status).toBe(404);
      const body = { subject: 'order.placed', payload: {} };
      const judged = await world.ask('POST', '/api/v1/schemas/validate', { body, key });
      expect(judged.status).toBe(404);
      expect((await append(event({}), asking)).status).toBe(200);
      expect((await register({ type: 'array' }, asking)).body.version).toBe(1);
      expect((await append(event({}), asking)).status).toBe(422);
      expect((await append(event(GOOD))).status).toBe(200);
    });

    it('are changed only by who may manage them', async () => {
      const key = await world.addTenant('globex', 'serviceaccount');
      expect((await register(ORDER, { key })).status).toBe(403);
      const path = '/api/v1/tenants/globex/schema-enforcement';
      expect((await world.ask('PUT', path, { body: { mode: 'strict' }, key })).status).toBe(403);
      expect(await enforce('strict', 'nobody')).toMatchObject({ status: 404 });
      expect(await enforce('sometimes')).toMatchObject({ status: 422 });
    });
  });
});
