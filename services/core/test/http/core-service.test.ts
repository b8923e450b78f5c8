/** Core as a whole, in this process, on a free port and a real folder: access, tenants, appends and restarts over real sockets. */
import { createHmac } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Parameters } from '@allsource/shared/protocol';
import { auditParameters, auditRoutes } from '@allsource/testkit';
import { readCoreConfig } from '../../src/config/core-config.ts';
import { type CoreService, createCoreService } from '../../src/create-service.ts';
import { INGEST_ROUTES } from '../../src/http/append-route.ts';
import { CoreWorld, KEY } from '../support/core-world.ts';

const JWT_SECRET = 'a-secret-of-at-least-thirty-two-characters';
const EVENT = { event_type: 'order.placed', entity_id: 'order-1', payload: { total: 42 } };

let world: CoreWorld;

afterEach(() => world.remove());

async function start(over: Record<string, string> = {}): Promise<CoreService> {
  world = await CoreWorld.start({ JWT_SECRET, ...over });
  return world.service;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('core', () => {
  it('serves exactly its declared routes, and none that needs somebody to nobody', async () => {
    const { app, routes, url } = await start();
    expect(await auditRoutes({ app, routes, baseUrl: url })).toEqual([]);
    for (const { method, path } of INGEST_ROUTES) {
      expect((await world.ask(method, path, { key: null, body: EVENT })).status).toBe(401);
    }
  });

  it('reads no parameter that its API document does not name', async () => {
    const { routes, url } = await start();
    const audit = { reader: Parameters.prototype, routes, baseUrl: url };
    const { faults, called } = await auditParameters({ ...audit, key: KEY });
    expect(faults).toEqual([]);
    expect(called).toBeGreaterThan(20);
  });

  it('makes an admin key at its first start, in a file for its owner only, and no other later', async () => {
    const { createdKeyFile } = await start({ ALLSOURCE_BOOTSTRAP_API_KEY: '' });
    const file = createdKeyFile as string;
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = readFileSync(file, 'utf8').trim();
    expect(key).toMatch(/^ask_[\w-]{43}$/);
    expect((await world.ask('GET', '/api/v1/auth/me', { key })).body).toMatchObject({
      role: 'admin',
      tenant_id: 'default',
    });
    await world.restart({ ALLSOURCE_BOOTSTRAP_API_KEY: '' });
    expect(world.service.createdKeyFile).toBeNull();
    expect((await world.ask('GET', '/api/v1/auth/me', { key })).status).toBe(200);
  });

  it('installs a bootstrap key once, however often it starts with it', async () => {
    await start();
    await world.restart();
    expect((await world.ask('GET', '/api/v1/auth/api-keys')).body).toHaveLength(1);
  });

  it('is refused a folder that another core has', async () => {
    await start();
    const config = readCoreConfig({
      ALLSOURCE_DATA_DIR: world.folder,
      CORE_PORT: '0',
      ALLSOURCE_LOG_LEVEL: 'silent',
    });
    await expect(createCoreService(config)).rejects.toThrow(/is in use by core \(process \d+\)/);
  });

  it('answers a single append with every member that a client of AllSource reads, and keeps the event over a restart', async () => {
    await start();
    const { status, body } = await world.ask('POST', '/api/v1/events', {
      body: { ...EVENT, metadata: { trace: 'x' } },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      version: 1,
      data: {
        version: 1,
        entity_id: 'order-1',
        event_type: 'order.placed',
        metadata: { trace: 'x' },
      },
    });
    expect(body.data.event_id).toBe(body.event_id);
    await world.restart();
    const read = await world.ask('GET', '/api/v1/events/query?entity_id=order-1');
    expect(read.body).toMatchObject({
      count: 1,
      total_count: 1,
      has_more: false,
      entity_version: 1,
    });
    expect(read.body.events[0].id).toBe(body.event_id);
    expect((await world.ask('GET', `/api/v1/events/${body.event_id}`)).body).toMatchObject({
      found: true,
      event: { id: body.event_id },
    });
  });

  it('answers a broken expected version with exactly the three members that SDKs match', async () => {
    await start();
    await world.ask('POST', '/api/v1/events', { body: EVENT });
    const { status, body } = await world.ask('POST', '/api/v1/events', {
      body: { ...EVENT, expected_version: 0 },
    });
    expect([status, body]).toEqual([
      409,
      { error: 'version_conflict', expected_version: 0, current_version: 1 },
    ]);
  });

  it('answers a retried append as the first time and marks it, also after a restart', async () => {
    await start();
    const headers = { 'idempotency-key': 'retry-1' };
    const first = await world.ask('POST', '/api/v1/events/batch', {
      body: { events: [EVENT, EVENT] },
      headers,
    });
    await world.restart();
    const second = await world.ask('POST', '/api/v1/events/batch', {
      body: { events: [EVENT, EVENT] },
      headers,
    });
    expect([second.text, second.headers.get('idempotent-replayed')]).toEqual([first.text, 'true']);
    const other = await world.ask('POST', '/api/v1/events/batch', {
      body: { events: [EVENT] },
      headers,
    });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  });

  it('keeps tenants apart, and only an admin may name another', async () => {
    await start();
    expect(
      (await world.ask('POST', '/api/v1/tenants', { body: { id: 'acme', name: 'Acme' } })).status,
    ).toBe(201);
    expect((await world.ask('POST', '/api/v1/tenants', { body: { id: 'acme' } })).status).toBe(409);
    const made = await world.ask('POST', '/api/v1/auth/api-keys', {
      body: { name: 'app', tenant_id: 'acme', role: 'developer' },
    });
    const key = made.body.key as string;
    await world.ask('POST', '/api/v1/events', { body: EVENT, key });
    expect((await world.ask('GET', '/api/v1/events/query?entity_id=order-1')).body.count).toBe(0);
    expect(
      (await world.ask('GET', '/api/v1/events/query?entity_id=order-1&tenant_id=acme')).body.count,
    ).toBe(1);
    const others = ['default', 'nobody'].map((tenant) =>
      world.ask('GET', `/api/v1/events/query?entity_id=order-1&tenant_id=${tenant}`, { key }),
    );
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([403, 403]);
    expect(
      (await world.ask('POST', '/api/v1/events', { body: { ...EVENT, tenant_id: 'default' }, key }))
        .status,
    ).toBe(403);
    expect((await world.ask('GET', '/api/v1/tenants', { key })).status).toBe(403);
  });

  it('forgets a revoked key at once, and never shows a key or its hash again', async () => {
    await start();
    const { body } = await world.ask('POST', '/api/v1/auth/api-keys', { body: { name: 'app' } });
    expect((await world.ask('GET', '/api/v1/auth/me', { key: body.key })).status).toBe(200);
    const list = await world.ask('GET', '/api/v1/auth/api-keys');
    expect(list.text).not.toContain(body.key);
    expect(list.text).not.toContain('hash');
    expect((await world.ask('DELETE', `/api/v1/auth/api-keys/${body.id}`)).status).toBe(204);
    expect((await world.ask('GET', '/api/v1/auth/me', { key: body.key })).status).toBe(401);
    expect((await world.ask('DELETE', `/api/v1/auth/api-keys/${body.id}`)).status).toBe(404);
  });

  it('holds a role to its permissions', async () => {
    await start();
    const { body } = await world.ask('POST', '/api/v1/auth/api-keys', {
      body: { name: 'reader', role: 'readonly' },
    });
    const { key } = body;
    expect((await world.ask('POST', '/api/v1/events', { body: EVENT, key })).status).toBe(403);
    expect((await world.ask('GET', '/api/v1/events/query?entity_id=x', { key })).status).toBe(200);
    expect(
      (await world.ask('POST', '/api/v1/auth/api-keys', { body: { name: 'x' }, key })).status,
    ).toBe(403);
  });

  it('takes a token of its secret for what it says', async () => {
    await start();
    const claims = {
      sub: 'u1',
      tenant_id: 'default',
      role: 'developer',
      iss: 'allsource',
      exp: Math.floor(Date.now() / 1000) + 60,
    };
    const signed = `${part({ alg: 'HS256' })}.${part(claims)}`;
    const token = `${signed}.${createHmac('sha256', JWT_SECRET).update(signed).digest('base64url')}`;
    expect((await world.ask('POST', '/api/v1/events', { body: EVENT, key: token })).status).toBe(
      200,
    );
    expect((await world.ask('GET', '/api/v1/auth/me', { key: token })).body).toMatchObject({
      id: 'u1',
      role: 'developer',
    });
  });

  it('refuses internal routes to every key, and everything to nobody', async () => {
    await start();
    for (const path of ['/internal/v1/head', '/internal/v1/feed?from=1']) {
      expect((await world.ask('GET', path)).status).toBe(401);
    }
    expect((await world.ask('GET', '/api/v1/stats', { key: null })).status).toBe(401);
  });

  it('answers an unknown route with 404 and a wrong method with 405', async () => {
    await start();
    expect((await world.ask('GET', '/api/v1/nothing')).body.code).toBe('route_not_found');
    const { body, headers } = await world.ask('DELETE', '/api/v1/events');
    expect(body).toMatchObject({ code: 'method_not_allowed', allowed: ['GET', 'POST'] });
    expect(headers.get('allow')).toBe('GET, POST');
  });

  it('takes 64 clients that race for one version and lets exactly one win each time', async () => {
    await start();
    for (let version = 0; version < 20; version++) {
      const race = Array.from({ length: 64 }, () =>
        world.ask('POST', '/api/v1/events', { body: { ...EVENT, expected_version: version } }),
      );
      const statuses = (await Promise.all(race)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 409)).toHaveLength(63);
    }
    const { body } = await world.ask('GET', '/api/v1/events/query?entity_id=order-1');
    expect(body.events.map((event: { version: number }) => event.version)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    console.info('1,280 conditional appends by 64 clients: 20 won, each version once');
  });

  it('in dev mode needs no key, and only on a loopback address', async () => {
    await start({ ALLSOURCE_DEV_MODE: 'true' });
    expect((await world.ask('POST', '/api/v1/events', { body: EVENT, key: null })).status).toBe(
      200,
    );
    expect(() => readCoreConfig({ ALLSOURCE_DEV_MODE: 'true', ALLSOURCE_HOST: '0.0.0.0' })).toThrow(
      /may only listen on 127.0.0.1/,
    );
  });
});
