/** How the SDKs present who they are, on each port, and which tenant that gives them. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningStore } from '../support/running-store.ts';
import { TEST_KEY, unique } from './addressings.ts';

const JWT_SECRET = 'a-secret-of-the-conformance-suite-42';

let store: RunningStore;
let developerKey: string;

beforeAll(async () => {
  store = await RunningStore.start({ ALLSOURCE_BOOTSTRAP_API_KEY: TEST_KEY, JWT_SECRET });
  await store.post('/api/v1/tenants', { id: 'other', name: 'other' });
  const made = await store.post('/api/v1/auth/api-keys', {
    name: 'developer',
    role: 'developer',
    tenant_id: 'other',
  });
  developerKey = made.body.key;
}, 60_000);

afterAll(async () => {
  await store?.remove();
}, 60_000);

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function token(claims: Readonly<Record<string, unknown>>, secret = JWT_SECRET): string {
  const now = Math.floor(Date.now() / 1000);
  const body = { iss: 'allsource', iat: now, exp: now + 3600, ...claims };
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(body)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Whom a port takes these headers for: the tenant and the role; or the status of its refusal. */
async function whoIs(base: string, headers: Record<string, string>): Promise<unknown> {
  const response = await fetch(`${base}/api/v1/auth/me`, { headers });
  if (response.status !== 200) return response.status;
  const { tenant_id, role } = (await response.json()) as Record<string, unknown>;
  return [tenant_id, role];
}

const PORTS = [
  ['core', () => store.coreUrl],
  ['the gateway', () => store.url],
] as const;

describe.each(PORTS)('%s', (_, urlOf) => {
  it('takes a key without a prefix in each of the ways in which SDKs send one', async () => {
    for (const headers of [
      { authorization: `Bearer ${TEST_KEY}` },
      { authorization: `bearer ${TEST_KEY}` },
      { authorization: TEST_KEY },
      { 'X-API-Key': TEST_KEY },
      { authorization: 'Bearer ', 'X-API-Key': TEST_KEY },
    ])
      expect([headers, await whoIs(urlOf(), headers as Record<string, string>)]).toEqual([
        headers,
        ['default', 'admin'],
      ]);
  });

  it('takes keys of its own making in both headers, the first before the second', async () => {
    expect(developerKey).toMatch(/^ask_[\w-]{43}$/);
    const who = ['other', 'developer'];
    expect(await whoIs(urlOf(), { authorization: `Bearer ${developerKey}` })).toEqual(who);
    expect(await whoIs(urlOf(), { 'x-api-key': developerKey })).toEqual(who);
    const both = { authorization: `Bearer ${developerKey}`, 'x-api-key': TEST_KEY };
    expect(await whoIs(urlOf(), both)).toEqual(who);
  });

  it('takes tokens, also those that stand for keys, in both headers and roles in any case', async () => {
    for (const [role, known] of [
      ['developer', 'developer'],
      ['Admin', 'admin'],
      ['ReadOnly', 'readonly'],
      ['service_account', 'serviceaccount'],
    ]) {
      const jwt = token({ sub: 'u-1', tenant_id: 'other', role, is_api_key: true });
      expect(await whoIs(urlOf(), { authorization: `Bearer ${jwt}` })).toEqual(['other', known]);
      expect(await whoIs(urlOf(), { 'x-api-key': jwt })).toEqual(['other', known]);
    }
  });

  it('refuses what is not there, not valid, not ours or over', async () => {
    const claims = { sub: 'u-1', tenant_id: 'other', role: 'admin' };
    for (const headers of [
      {},
      { authorization: 'Bearer' },
      { authorization: 'Bearer ask_unknown' },
      { 'x-api-key': '' },
      { authorization: `Bearer ${token(claims, `${JWT_SECRET}x`)}` },
      { authorization: `Bearer ${token({ ...claims, exp: 1 })}` },
      { authorization: `Bearer ${token({ ...claims, tenant_id: null })}` },
    ])
      expect([headers, await whoIs(urlOf(), headers as Record<string, string>)]).toEqual([
        headers,
        401,
      ]);
  });

  it('gives a key its own tenant for writes and reads, and no other', async () => {
    const entity_id = unique('tenant');
    const event = { event_type: 'tenant.seen', entity_id, payload: {} };
    const asOther = { key: developerKey };
    const written = await store.post(`${urlOf()}/api/v1/events`, event, asOther);
    expect(written.body.data.tenant_id).toBe('other');
    const query = `${urlOf()}/api/v1/events/query?entity_id=${entity_id}`;
    expect((await store.ask(query, asOther)).body.count).toBe(1);
    expect((await store.ask(query)).body.count).toBe(0);
    for (const refused of [
      await store.ask(`${query}&tenant_id=default`, asOther),
      await store.post(`${urlOf()}/api/v1/events`, { ...event, tenant_id: 'default' }, asOther),
    ])
      expect(refused.status).toBe(403);
  });

  it('lets an admin name the tenant, in the query or in the body', async () => {
    const entity_id = unique('tenant');
    const event = { event_type: 'tenant.seen', entity_id, payload: {} };
    await store.post(`${urlOf()}/api/v1/events`, { ...event, tenant_id: 'other' });
    await store.post(`${urlOf()}/api/v1/events?tenant_id=other`, event);
    const query = `${urlOf()}/api/v1/events/query?entity_id=${entity_id}`;
    const answer = await store.ask(`${query}&tenant_id=other`);
    expect(answer.body.events.map((one: { version: number }) => one.version)).toEqual([1, 2]);
    expect((await store.ask(query)).body.count).toBe(0);
  });
});

it('the control plane knows the same keys, from either header', async () => {
  const status = `${store.controlPlaneUrl}/api/v1/cluster/status`;
  const answers = await Promise.all(
    [
      { 'x-api-key': TEST_KEY },
      { authorization: `Bearer ${TEST_KEY}` },
      { authorization: `Bearer ${token({ sub: 'u', tenant_id: 'default', role: 'admin' })}` },
      { 'x-api-key': developerKey },
      { 'x-api-key': 'nobody' },
    ].map((headers) => fetch(status, { headers: headers as Record<string, string> })),
  );
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 403, 401]);
});

it('the same entity id is another entity in each tenant, down to its versions and consumers', async () => {
  const event = { event_type: 'same.name', entity_id: unique('same'), payload: {} };
  const [ours, theirs] = [
    await store.post('/api/v1/events', event),
    await store.post('/api/v1/events', event, { key: developerKey }),
  ];
  expect([ours.body.version, theirs.body.version]).toEqual([1, 1]);
  const name = unique('consumer');
  await store.post('/api/v1/consumers', { consumer_id: name, event_type_filters: ['same.name'] });
  await store.post(`/api/v1/consumers/${name}/ack`, { position: 1 });
  const other = await store.ask(`/api/v1/consumers/${name}`, { key: developerKey });
  expect(other.body).toEqual({ consumer_id: name, event_type_filters: [], cursor_position: null });
});
