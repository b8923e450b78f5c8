/** Schemas as a client meets them: the same on core's port and the gateway's, and in the shape of older clients on the path without a version. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningStore } from '../support/running-store.ts';

const SCHEMA = { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } };
const EVENT = { event_type: 'order.placed', entity_id: 'order-1', payload: {} };

describe('schemas through the gateway', () => {
  let store: RunningStore;

  beforeAll(async () => {
    store = await RunningStore.start();
  });

  afterAll(async () => {
    await store?.remove();
  });

  const send = (method: string, path: string, body?: object) =>
    store.ask(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });

  it('are registered on either path, each with its own answer', async () => {
    const body = { subject: 'order.placed', schema: SCHEMA };
    const first = await send('POST', '/api/v1/schemas', body);
    expect(first).toMatchObject({ status: 200, body: { subject: 'order.placed', version: 1 } });
    const older = { event_type: 'order.placed', schema: SCHEMA };
    const second = await send('POST', '/api/schemas', older);
    expect(second).toMatchObject({
      status: 201,
      body: { data: { event_type: 'order.placed', version: 2, schema: SCHEMA } },
    });
    const list = await send('GET', '/api/schemas');
    expect(list.body).toMatchObject({ data: [{ event_type: 'order.placed' }], count: 1 });
    expect((await send('GET', '/api/schemas/order.placed')).body.data.version).toBe(2);
    for (const base of [store.url, store.coreUrl]) {
      const one = await send('GET', `${base}/api/v1/schemas/order.placed?version=1`);
      expect(one).toMatchObject({ status: 200, body: { id: first.body.schema_id, version: 1 } });
    }
  });

  it('say the same of an incompatible one in the form of each port', async () => {
    const body = { subject: 'order.placed', schema: { ...SCHEMA, required: ['sku', 'total'] } };
    const gateway = await send('POST', '/api/v1/schemas', body);
    const core = await send('POST', `${store.coreUrl}/api/v1/schemas`, body);
    expect(gateway).toMatchObject({
      status: 400,
      body: { error: { code: 'schema_incompatible' } },
    });
    expect(core.body.error).toBe(`Validation error: ${gateway.body.error.message}`);
  });

  it('warn and refuse through the gateway as core says it', async () => {
    const path = '/api/v1/tenants/default/schema-enforcement';
    expect((await send('PUT', path, { schema_enforcement: 'warn' })).status).toBe(200);
    const warned = await send('POST', '/api/v1/events', EVENT);
    expect([warned.status, warned.headers.get('schema-warnings')]).toEqual([201, '1']);
    expect((await send('PUT', path, { schema_enforcement: 'strict' })).status).toBe(200);
    for (const base of [store.url, store.coreUrl]) {
      const refused = await send('POST', `${base}/api/v1/events`, EVENT);
      expect(refused.status).toBe(422);
      expect(refused.body.error).toMatchObject({
        code: 'schema_violation',
        details: {
          event_type: 'order.placed',
          schema_version: 2,
          errors: ['Missing required field: sku'],
        },
      });
    }
    const tenants = await send('GET', '/api/v1/tenants');
    expect(tenants.body[0]).toMatchObject({ id: 'default', schema_enforcement: 'strict' });
  });
});
