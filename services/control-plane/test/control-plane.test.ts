import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, answerOf, auditRoutes, requestBody } from '@allsource/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readControlPlaneConfig } from '../src/config/control-plane-config.ts';
import { type ControlPlaneService, createControlPlaneService } from '../src/create-service.ts';
import { CoreProcess } from './core-process.ts';
import { StandInQuery } from './stand-in-query.ts';

const ADMIN_KEY = 'test-key-admin';

interface Asked {
  readonly method?: string;
  readonly key?: string | null;
  readonly body?: unknown;
}

let dataDir: string;
let core: CoreProcess;
let query: StandInQuery;
let controlPlane: ControlPlaneService;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'allsource-control-plane-'));
  core = await CoreProcess.start({ dataDir, apiKey: ADMIN_KEY });
  query = new StandInQuery();
  controlPlane = await createControlPlaneService(
    readControlPlaneConfig({
      ALLSOURCE_DATA_DIR: dataDir,
      CONTROL_PLANE_PORT: '0',
      CORE_URL: core.url,
      QUERY_URL: await query.start(),
      ALLSOURCE_LOG_LEVEL: 'silent',
    }),
  );
  while ((await ask('/readyz')).status !== 200) await sleep(20);
});
afterAll(async () => {
  await controlPlane.close();
  await query.stop();
  await core.stop();
  rmSync(dataDir, { recursive: true, force: true });
});
beforeEach(() => {
  query.seen.length = 0;
});

async function ask(path: string, asked: Asked = {}): Promise<Answer> {
  const { method = 'GET', key = ADMIN_KEY, body } = asked;
  const response = await fetch(controlPlane.url + path, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...requestBody(body),
  });
  return await answerOf(response);
}

async function append(entity: string): Promise<void> {
  const response = await fetch(`${core.url}/api/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ event_type: 'order.placed', entity_id: entity, payload: {} }),
  });
  expect(response.status).toBe(200);
}

describe('the routes', () => {
  it('are those that are declared, and none of them is open by omission', async () => {
    const { app, routes, url } = controlPlane;
    expect(await auditRoutes({ app, routes, baseUrl: url })).toEqual([]);
  });

  it('for operators refuse a key that is no administrator', async () => {
    const made = await ask('/api/v1/auth/api-keys', {
      method: 'POST',
      body: { name: 'reader', role: 'readonly' },
    });
    expect(made.status).toBe(201);
    // The key works here at once, although core has only just made it.
    expect(await ask('/api/v1/auth/me', { key: made.body.key })).toMatchObject({
      status: 200,
      body: { role: 'readonly' },
    });
    for (const path of ['/api/v1/cluster/status', '/api/v1/tenants', '/api/v1/metrics/json']) {
      const refused = await ask(path, { key: made.body.key });
      expect(refused).toMatchObject({ status: 403, body: { error: 'forbidden' } });
      expect(typeof refused.body.message).toBe('string');
    }
    const revoked = await ask(`/api/v1/auth/api-keys/${made.body.id}`, { method: 'DELETE' });
    expect(revoked.status).toBe(204);
  });
});

describe('health', () => {
  it('is told by the control plane of itself and of core', async () => {
    expect(await ask('/health', { key: null })).toMatchObject({
      status: 200,
      body: { status: 'healthy', service: 'allsource-control-plane' },
    });
    const ofCore = { status: 200, body: { status: 'healthy', service: 'allsource-core' } };
    expect(await ask('/health/core', { key: null })).toMatchObject(ofCore);
    expect(await ask('/api/v1/health/core')).toMatchObject(ofCore);
    expect(await ask('/api/v1/health/core', { key: null })).toMatchObject({ status: 401 });
  });
});

describe('the cluster status', () => {
  it('shows every service with its position, and the totals of the store', async () => {
    await append('order-1');
    await append('order-1');
    await append('order-2');
    const { status, body } = await ask('/api/v1/cluster/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      total_nodes: 3,
      healthy_nodes: 3,
      healthy: true,
      event_count: 3,
      stream_count: 2,
    });
    expect(body.cluster_id).toMatch(/^[0-9a-f]{16}$/);
    expect(body.storage_bytes).toBeGreaterThan(0);
    const [ofCore, ofQuery, own] = body.nodes;
    expect(ofCore).toMatchObject({ id: 'core', type: 'event-store', url: core.url });
    expect(ofCore.stats.position).toBeGreaterThanOrEqual(3);
    expect(ofQuery.stats).toMatchObject({ position: 2, lag_events: ofCore.stats.position - 2 });
    expect(own).toMatchObject({ id: 'control-plane', status: 'healthy' });
    expect(await ask('/api/v1/cluster/health', { key: null })).toMatchObject({
      status: 200,
      body: { healthy_nodes: 3 },
    });
  });

  it('has figures for people and for Prometheus', async () => {
    const { body } = await ask('/api/v1/metrics/json');
    expect(body.metrics.event_store.total_events).toBeGreaterThanOrEqual(0);
    expect(body.metrics.control_plane.uptime_seconds).toBeGreaterThanOrEqual(0);
    const page = await ask('/metrics', { key: null });
    for (const name of [
      'control_plane_http_requests_total',
      'control_plane_http_request_duration_seconds',
      'control_plane_core_health_check_total',
      'control_plane_core_health_check_duration_seconds',
      'control_plane_snapshot_operations_total',
      'control_plane_replay_operations_total',
    ])
      expect(page.text).toContain(`# TYPE ${name}`);
  });
});

describe('operations', () => {
  it('are checked, then carried out by the query service under the key of the caller', async () => {
    query.answer = { status: 200, body: { snapshot_id: 's-1', size_bytes: 7 } };
    const snapshot = await ask('/api/v1/operations/snapshot', {
      method: 'POST',
      body: { entity_id: 'order-1' },
    });
    expect(snapshot).toMatchObject({
      status: 200,
      body: { snapshot_id: 's-1', status: 'created', size_bytes: 7 },
    });
    query.answer = { status: 200, body: { replay_id: 'r-1' } };
    const replay = await ask('/api/v1/operations/replay', {
      method: 'POST',
      body: { entity_id: 'order-1', as_of: '2026-01-01T00:00:00Z' },
    });
    expect(replay).toMatchObject({
      status: 200,
      body: { status: 'replay_initiated', entity_id: 'order-1', replay_id: 'r-1' },
    });
    const authorization = `Bearer ${ADMIN_KEY}`;
    expect(query.seen).toEqual([
      {
        method: 'POST',
        path: '/api/v1/snapshots?tenant_id=default',
        authorization,
        body: { entity_id: 'order-1' },
      },
      {
        method: 'POST',
        path: '/api/v1/replay?tenant_id=default',
        authorization,
        body: { entity_id: 'order-1', to_timestamp: '2026-01-01T00:00:00Z' },
      },
    ]);
  });

  it('show the replays of the query service, and cancel them', async () => {
    const run = {
      replay_id: 'r-1',
      status: 'running',
      projection_name: 'all',
      total_events: 10,
      processed_events: 4,
      progress_percentage: 40,
      events_per_second: 2,
      estimated_seconds_left: 3,
      error_message: 'core does not answer',
      created_at: '2026-01-01T00:00:00Z',
    };
    query.answer = { status: 200, body: { replays: [run], total: 1 } };
    const operation = {
      id: 'r-1',
      type: 'replay',
      status: 'running',
      tenant_id: 'default',
      progress: { percentage: 40, estimated_seconds_left: 3, message: 'core does not answer' },
      error: null,
      created_at: '2026-01-01T00:00:00Z',
    };
    for (const path of ['replay', 'history'])
      expect(await ask(`/api/v1/operations/${path}`)).toMatchObject({
        status: 200,
        body: { total: 1, operations: [operation] },
      });
    query.answer = { status: 200, body: { ...run, status: 'failed' } };
    expect(await ask('/api/v1/operations/replay/r%2F1')).toMatchObject({
      status: 200,
      body: { status: 'failed', error: 'core does not answer', progress: { message: null } },
    });
    query.answer = { status: 200, body: { ...run, status: 'cancelled' } };
    expect(await ask('/api/v1/operations/replay/r-1/cancel', { method: 'POST' })).toMatchObject({
      status: 200,
      body: { id: 'r-1', status: 'cancelled' },
    });
    expect(query.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/v1/replay?tenant_id=default',
      'GET /api/v1/replay?tenant_id=default',
      'GET /api/v1/replay/r%2F1?tenant_id=default',
      'POST /api/v1/replay/r-1/cancel?tenant_id=default',
      'GET /api/v1/replay/r-1?tenant_id=default',
    ]);
    query.answer = { status: 404, body: { code: 'not_found', detail: 'There is no replay.' } };
    expect(await ask('/api/v1/operations/replay/r-2')).toMatchObject({
      status: 404,
      body: { error: 'not_found', message: 'There is no replay.' },
    });
  });

  it('of all entities name the run that takes the snapshots, and where it can be followed', async () => {
    query.answer = { status: 202, body: { run_id: 'r/1', status: 'running', entities_total: 7 } };
    const begun = await ask('/api/v1/operations/snapshots', { method: 'POST' });
    expect(begun).toMatchObject({
      status: 200,
      body: {
        snapshot_id: 'r/1',
        status: 'running',
        entities_total: 7,
        timestamp: expect.any(String),
      },
    });
    query.answer = { status: 200, body: { status: 'completed' } };
    const followed = await ask('/api/v1/operations/snapshots/r%2F1');
    const listed = await ask('/api/v1/operations/snapshots?entity_id=a%2Fb&tenant_id=default');
    expect([begun.body.follow, followed.body, listed.body]).toEqual([
      '/api/v1/operations/snapshots/r%2F1',
      { status: 'completed' },
      { status: 'completed' },
    ]);
    expect(query.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/snapshots?tenant_id=default',
      'GET /api/v1/snapshots/runs/r%2F1?tenant_id=default',
      'GET /api/v1/snapshots?entity_id=a%2Fb&tenant_id=default',
    ]);
  });

  it.each(['snapshot', 'snapshots', 'replay', 'compaction'])(
    'of a tenant that the body names are not done for another: %s',
    async (operation) => {
      query.answer = { status: 200, body: {} };
      const path = `/api/v1/operations/${operation}`;
      const refused = await ask(path, { method: 'POST', body: { tenant_id: 'nobody' } });
      expect([refused.status, refused.body['error']]).toEqual([404, 'tenant_not_found']);
      expect(query.seen).toEqual([]);
      const done = await ask(path, { method: 'POST', body: { tenant_id: 'default' } });
      expect([done.status, query.seen[0]?.path]).toEqual([
        200,
        expect.stringContaining('tenant_id=default'),
      ]);
    },
  );

  it('on Parquet files are compactions that the query service does, and what they have done', async () => {
    query.answer = { status: 200, body: { files_compacted: 3 } };
    const path = '/api/v1/operations/compaction';
    const done = await ask(`${path}?strategy=timebased`, { method: 'POST' });
    expect(done).toMatchObject({
      status: 200,
      body: {
        type: 'compaction',
        status: 'completed',
        tenant_id: 'default',
        result: { files_compacted: 3 },
        completed_at: expect.any(String),
      },
    });
    expect((await ask(`${path}/stats`)).body).toEqual({ files_compacted: 3 });
    expect(query.seen.map((seen) => `${seen.method} ${seen.path}`)).toEqual([
      'POST /api/v1/compaction/trigger?strategy=timebased&tenant_id=default',
      'GET /api/v1/compaction/stats?tenant_id=default',
    ]);
    query.answer = { status: 507, body: { code: 'storage_full', detail: 'full' } };
    expect((await ask(path, { method: 'POST' })).status).toBe(507);
  });

  it('whose query string cannot be read are refused, and reach nobody', async () => {
    for (const bad of ['strategy=%ff', 'tenant_id=%zz'])
      expect(await ask(`/api/v1/operations/compaction?${bad}`, { method: 'POST' })).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('not validly percent-encoded') },
      });
    expect(query.seen).toEqual([]);
  });

  it('that the query service refuses are refused with its words', async () => {
    const detail = 'The entity has no events.';
    query.answer = { status: 404, body: { code: 'entity_not_found', detail, entity_id: 'e' } };
    for (const asked of [{ method: 'POST' }, { method: 'GET' }])
      expect(await ask('/api/v1/operations/snapshots', asked)).toMatchObject({
        status: 404,
        body: { error: 'entity_not_found', message: detail, entity_id: 'e', upstream: 'query' },
      });
  });

  it('with a body that makes no sense reach nobody', async () => {
    const bodies: [string, unknown, number][] = [
      ['snapshot', { entity_id: 7 }, 422],
      ['snapshot', { entity_id: ' ' }, 422],
      ['snapshot', '{"entity_id"', 400],
      ['snapshot', '[]', 422],
      ['replay', { as_of: 'yesterday' }, 422],
      ['replay', { as_of: '2026-01-01T00:00:00Z', to_timestamp: '2026-01-02T00:00:00Z' }, 422],
      ['replay', { event_type: 'Not.Good' }, 422],
      ['replay', { event_types: 'a' }, 422],
      ['replay', { config: [] }, 422],
      ['replay', { tenant_id: 'no tenant!' }, 422],
    ];
    for (const [operation, body, status] of bodies) {
      const path = `/api/v1/operations/${operation}`;
      expect(await ask(path, { method: 'POST', body })).toMatchObject({ status });
    }
    expect(query.seen).toEqual([]);
  });
});

describe('tenants and keys', () => {
  it('are made at core, and what core refuses is refused here', async () => {
    const body = { id: 'acme', name: 'Acme' };
    expect(await ask('/api/v1/tenants', { method: 'POST', body })).toMatchObject({
      status: 201,
      body: { id: 'acme', status: 'active', _links: { self: { href: '/api/v1/tenants/acme' } } },
    });
    expect(await ask('/api/v1/tenants', { method: 'POST', body })).toMatchObject({
      status: 409,
      body: { error: 'tenant_exists' },
    });
    const list = await ask('/api/v1/tenants');
    expect(list.body.total).toBe(2);
    expect(list.body.tenants.map((tenant: { id: string }) => tenant.id)).toEqual([
      'default',
      'acme',
    ]);
    expect(await ask('/api/v1/tenants/acme')).toMatchObject({
      status: 200,
      body: { name: 'Acme' },
    });
    expect(await ask('/api/v1/tenants/none')).toMatchObject({ status: 404 });
    const key = await ask('/api/v1/auth/api-keys?tenant_id=acme', {
      method: 'POST',
      body: { name: 'acme', role: 'admin' },
    });
    expect(key.status).toBe(201);
    const keys = await ask('/api/v1/auth/api-keys', { key: key.body.key });
    expect(keys.body.map((entry: { tenant_id: string }) => entry.tenant_id)).toEqual(['acme']);
  });
});

describe('what is not there', () => {
  it('is refused by name, and what nobody knows is not found', async () => {
    expect(await ask('/api/v1/policies')).toMatchObject({
      status: 501,
      body: { error: 'not_available', feature: 'Policies' },
    });
    expect(await ask('/api/v1/auth/login', { method: 'POST', key: null, body: {} })).toMatchObject({
      status: 501,
    });
    expect(await ask('/api/v1/nonsense')).toMatchObject({
      status: 404,
      body: { error: 'route_not_found' },
    });
  });
});

// The last of the file: it takes core away and brings it back.
describe('while core is down', () => {
  it('the control plane says so everywhere, keeps knowing keys, and recovers by itself', async () => {
    const { port } = core;
    await core.stop();
    expect(await ask('/health/core', { key: null })).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', error: expect.stringContaining('does not answer') },
    });
    expect(await ask('/livez', { key: null })).toMatchObject({ status: 200 });
    const { status, body } = await ask('/api/v1/cluster/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({ healthy: false, healthy_nodes: 2, event_count: null });
    expect(body.nodes[0]).toMatchObject({ id: 'core', status: 'unreachable' });
    expect(await ask('/api/v1/tenants')).toMatchObject({
      status: 503,
      body: { error: 'upstream_unavailable', upstream: 'core' },
    });
    expect(await ask('/api/v1/tenants', { key: 'never-heard-of' })).toMatchObject({ status: 503 });
    core = await CoreProcess.start({ dataDir, apiKey: ADMIN_KEY, port });
    expect(await ask('/api/v1/cluster/status')).toMatchObject({
      status: 200,
      body: { healthy: true, event_count: 3 },
    });
    expect(await ask('/api/v1/tenants', { key: 'never-heard-of' })).toMatchObject({ status: 401 });
  });
});
