/**
 * The body of every kind of refusal on each port, as existing SDKs read it: core says it in a text with a known beginning, the gateway in an object with a code
 * (the Python SDK falls over a text), the control plane in a slug beside a message. Where AllSource answers plain text, ours is JSON with the same `error`.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import type { RunningStore } from '../support/running-store.ts';
import { startConformanceStore } from './addressings.ts';

const EVENT = { event_type: 'a.b', entity_id: 'e', payload: {} };
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

interface Refusal {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** What the code at the gateway ends with. */
  readonly code: string;
  /** What core's text begins with. */
  readonly text: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  {
    what: 'an event that is not there',
    path: `/api/v1/events/${UNKNOWN_ID}`,
    status: 404,
    code: 'event_not_found',
    text: /^Entity not found: Event '.*' not found$/,
  },
  {
    what: 'an entity that is not there',
    path: '/api/v1/entities/nobody/state',
    status: 404,
    code: 'entity_not_found',
    text: /^Entity not found: /,
  },
  {
    what: 'an entity without a snapshot',
    path: '/api/v1/entities/nobody/snapshot',
    status: 404,
    code: 'entity_not_found',
    text: /^Entity not found: /,
  },
  {
    what: 'a projection that is not there',
    path: '/api/v1/projections/unknown',
    status: 404,
    code: 'not_found',
    text: /unknown/,
  },
  {
    what: 'an event type in upper case',
    path: '/api/v1/events',
    body: { ...EVENT, event_type: 'OrderPlaced' },
    status: 400,
    code: 'invalid_event_type',
    text: /^Invalid input: Event type 'OrderPlaced'/,
  },
  {
    what: 'an event type of the system',
    path: '/api/v1/events',
    body: { ...EVENT, event_type: '_system.x' },
    status: 400,
    code: 'invalid_event_type',
    text: /^Invalid input: /,
  },
  {
    what: 'a blank entity id',
    path: '/api/v1/events',
    body: { ...EVENT, entity_id: ' ' },
    status: 400,
    code: 'invalid_entity_id',
    text: /^Invalid input: /,
  },
  {
    what: 'an order that is neither asc nor desc',
    path: '/api/v1/events/query?order=x',
    status: 400,
    code: 'invalid_parameter',
    text: /^Invalid input: invalid 'order' value 'x': expected 'asc' or 'desc'$/,
  },
  {
    what: 'a time that is none',
    path: '/api/v1/events/query?since=yesterday',
    status: 400,
    code: 'invalid_parameter',
    text: /^Invalid input: /,
  },
  {
    what: 'an event id that is no UUID',
    path: '/api/v1/events/not-a-uuid',
    status: 400,
    code: 'invalid_parameter',
    text: /^Invalid input: /,
  },
  {
    what: 'a query string with a number that is none',
    path: '/api/v1/events/query?limit=many',
    status: 400,
    code: 'invalid_parameter',
    text: /^Invalid input: /,
  },
  {
    what: 'duplicates without what to group by',
    path: '/api/v1/entities/duplicates?event_type_prefix=a.',
    status: 400,
    code: 'invalid_parameter',
    text: /^Invalid input: /,
  },
  {
    what: 'JSON that is none',
    path: '/api/v1/events',
    body: '{"event_type":',
    status: 400,
    code: 'malformed_json',
    text: /^Invalid input: /,
  },
  {
    what: 'a member of a wrong type',
    path: '/api/v1/events',
    body: { ...EVENT, entity_id: 5 },
    status: 422,
    code: 'invalid_body',
    text: /^Validation error: /,
  },
  {
    what: 'an event without a payload',
    path: '/api/v1/events',
    body: { event_type: 'a.b', entity_id: 'e' },
    status: 422,
    code: 'invalid_body',
    text: /^Validation error: /,
  },
  {
    what: 'a batch without events',
    path: '/api/v1/events/batch',
    body: {},
    status: 422,
    code: 'invalid_body',
    text: /^Validation error: /,
  },
  {
    what: 'another content type',
    path: '/api/v1/events',
    body: JSON.stringify(EVENT),
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
    text: /text\/plain/,
  },
  {
    what: 'an acknowledgement beyond the log',
    path: '/api/v1/consumers/c/ack',
    body: { position: 1_000_000_000 },
    status: 400,
    code: 'position_beyond_head',
    text: /^Invalid input: Position 1000000000 is beyond the latest event offset \d+$/,
  },
  {
    what: 'a schema that the one before does not go with',
    path: '/api/v1/schemas',
    body: {
      subject: 'kept.type',
      schema: { type: 'object', properties: { a: { type: 'number' } } },
    },
    status: 400,
    code: 'schema_incompatible',
    text: /^Validation error: Schema compatibility check failed: /,
  },
  {
    what: 'a tenant that is there',
    path: '/api/v1/tenants',
    body: { id: 'default', name: 'default' },
    status: 409,
    code: 'tenant_exists',
    text: /^Tenant already exists: /,
  },
  {
    what: 'a tenant that is not',
    path: '/api/v1/events/query?tenant_id=nobody',
    status: 404,
    code: 'tenant_not_found',
    text: /^Tenant not found: /,
  },
  {
    what: 'no key',
    path: '/api/v1/events/query',
    headers: { authorization: '' },
    status: 401,
    code: 'unauthenticated',
    text: /key/,
  },
  {
    what: 'a key that is none',
    path: '/api/v1/events/query',
    headers: { authorization: 'Bearer ask_nobody' },
    status: 401,
    code: 'unauthenticated',
    text: /not valid/,
  },
  {
    what: 'a route that is none',
    path: '/api/v1/nothing/here',
    status: 404,
    code: 'route_not_found',
    text: /nothing\/here/,
  },
];

let store: RunningStore;

beforeAll(async () => {
  store = await startConformanceStore();
  await store.post('/api/v1/schemas', {
    subject: 'kept.type',
    schema: {
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
    },
  });
}, 60_000);

afterAll(async () => {
  await store?.remove();
}, 60_000);

function ask(base: string, { method, path, body, headers }: Refusal): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return store.ask(base + path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    ...(body === undefined ? {} : { body: text }),
    ...(headers === undefined ? {} : { headers }),
  });
}

const NAMED = REFUSALS.map((refusal) => [refusal.what, refusal] as const);

describe('a refusal', () => {
  it.each(NAMED)('of %s is a text on core', async (_, refusal) => {
    const answer = await ask(store.coreUrl, refusal);
    expect([answer.status, answer.body.error]).toEqual([
      refusal.status,
      expect.stringMatching(refusal.text),
    ]);
  });

  it.each(NAMED)('of %s is an object at the gateway', async (_, refusal) => {
    const answer = await ask(store.url, refusal);
    expect([answer.status, answer.body.error]).toEqual([
      refusal.status,
      expect.objectContaining({
        code: expect.stringMatching(new RegExp(`${refusal.code}$`)),
        message: expect.stringMatching(/./),
      }),
    ]);
  });

  it('is a slug beside a message on the control plane', async () => {
    for (const [path, headers, status, slug] of [
      ['cluster/status', { authorization: '' }, 401, 'unauthorized'],
      ['cluster/status', { authorization: 'Bearer ask_nobody' }, 401, 'unauthorized'],
      ['nothing', {}, 404, 'route_not_found'],
    ] as const) {
      const answer = await store.ask(`${store.controlPlaneUrl}/api/v1/${path}`, { headers });
      expect([answer.status, answer.body.error, typeof answer.body.message]).toEqual([
        status,
        slug,
        'string',
      ]);
    }
  });

  it('never counts as one to repeat, when it is the request that is wrong', () => {
    for (const { status } of REFUSALS) expect([408, 429, 500, 502, 503, 504]).not.toContain(status);
  });
});

describe('a conflict of versions', () => {
  const conflict = { ...EVENT, entity_id: 'conflict', expected_version: 7 };

  it('is flat and exact on core, for one event and for a batch', async () => {
    for (const [path, body] of [
      ['/api/v1/events', conflict],
      ['/api/v1/events/batch', { events: [conflict] }],
    ] as const) {
      const answer = await store.post(store.coreUrl + path, body);
      expect(answer.status).toBe(409);
      expect(answer.text).toBe(
        '{"error":"version_conflict","expected_version":7,"current_version":0}',
      );
    }
  });

  it('is an object at the gateway, with the same two integers', async () => {
    const answer = await store.post('/api/v1/events', conflict);
    expect(answer).toMatchObject({
      status: 409,
      body: {
        error: { code: 'version_conflict', message: expect.any(String) },
        expected_version: 7,
        current_version: 0,
      },
    });
  });

  it('stores nothing of a batch in which it comes last', async () => {
    const fine = { ...EVENT, entity_id: 'conflict-last' };
    const answer = await store.post(`${store.coreUrl}/api/v1/events/batch`, {
      events: [fine, { ...fine, expected_version: 1 }, { ...fine, expected_version: 9 }],
    });
    expect([answer.status, answer.body.current_version]).toEqual([409, 2]);
    const { body } = await store.ask('/api/v1/events/query?entity_id=conflict-last');
    expect([body.total_count, body.entity_version]).toEqual([0, 0]);
  });
});

describe('a payload against its schema', () => {
  it('is refused with an object on both ports, once the tenant is strict', async () => {
    const set = await store.ask('/api/v1/tenants/default/schema-enforcement', {
      method: 'PUT',
      body: JSON.stringify({ schema_enforcement: 'strict' }),
    });
    expect(set.status).toBeLessThan(300);
    for (const base of [store.coreUrl, store.url]) {
      const answer = await store.post(`${base}/api/v1/events`, {
        ...EVENT,
        event_type: 'kept.type',
        payload: { a: 5 },
      });
      expect([answer.status, answer.body.error]).toEqual([
        422,
        expect.objectContaining({
          code: 'schema_violation',
          message: expect.any(String),
          details: expect.objectContaining({
            event_type: 'kept.type',
            schema_version: 1,
            errors: ['a.Type mismatch: expected string, got number'],
          }),
        }),
      ]);
    }
  });
});

describe('a permission that is missing', () => {
  it('is 403 in the form of each port', async () => {
    const made = await store.post('/api/v1/auth/api-keys', { name: 'r', role: 'readonly' });
    const { key } = made.body;
    const core = await store.post(`${store.coreUrl}/api/v1/events`, EVENT, { key });
    expect([core.status, typeof core.body.error]).toEqual([403, 'string']);
    const gateway = await store.post('/api/v1/events', EVENT, { key });
    expect([gateway.status, gateway.body.error.code]).toEqual([403, 'forbidden']);
    const plane = await store.ask(`${store.controlPlaneUrl}/api/v1/cluster/status`, { key });
    expect([plane.status, plane.body.error]).toEqual([403, 'forbidden']);
  });
});

/** What SDKs ask for and this store does not serve. A 404 would be read as "there is none". */
const NOT_SERVED = [
  ['POST', '/api/v1/query/projected'],
  ['GET', '/api/v1/prime/projections'],
  ['POST', '/api/v1/prime/projections'],
  ['POST', '/api/v1/prime/nodes/node:contact:1/project'],
  ['GET', '/api/v1/prime/nodes/node:contact:1/fields/email/provenance'],
  ['GET', '/api/webhooks'],
  ['POST', '/api/webhooks'],
  ['DELETE', '/api/webhooks/w-1'],
  ['GET', '/api/webhooks/w-1/deliveries'],
] as const;

describe('what is not served', () => {
  it.each(NOT_SERVED)('is 501 on both ports: %s %s', async (method, path) => {
    console.info(`not served, and said so: ${method} ${path}`);
    const init = method === 'POST' ? { method, body: '{}' } : { method };
    const core = await store.ask(store.coreUrl + path, init);
    expect([core.status, typeof core.body.error]).toEqual([501, 'string']);
    const gateway = await store.ask(path, init);
    expect([gateway.status, gateway.body.error.code]).toEqual([501, 'not_available']);
  });
});
