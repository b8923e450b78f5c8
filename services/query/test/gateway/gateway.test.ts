/** The gateway as a whole: its routes, its keys, and what it does when core is away or asks it in turn. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Parameters } from '@allsource/shared/protocol';
import { auditParameters, auditRoutes, Cleanups } from '@allsource/testkit';
import { UNAVAILABLE_FEATURES } from '../../src/gateway/unavailable-routes.ts';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
  untilReady,
} from './gateway-world.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

async function world(settings?: Record<string, string>, ready?: boolean): Promise<GatewayWorld> {
  const made = await gatewayWorld(settings, ready);
  cleanups.add(() => made.close());
  return made;
}

describe('the routes of the gateway', () => {
  it('are all declared, and only public ones answer nobody', async () => {
    const { service, url } = await world();
    const faults = await auditRoutes({ app: service.app, routes: service.routes, baseUrl: url });
    expect(faults).toEqual([]);
    const open = service.routes.filter(({ needs }) => needs === 'public').map(({ path }) => path);
    expect(
      open.filter((path) => !/health|metrics|livez|readyz|auth|openapi|docs/.test(path)),
    ).toEqual([]);
  });

  it('read no parameter that their documents do not name', async () => {
    const { service, url } = await world();
    const audit = { reader: Parameters.prototype, routes: service.routes, baseUrl: url };
    const { faults, called } = await auditParameters({ ...audit, key: ADMIN });
    expect(faults).toEqual([]);
    expect(called).toBeGreaterThan(100);
  });

  it('that are not built say so to whoever may ask, on both paths', async () => {
    const { ask } = await world();
    for (const { routes, feature } of UNAVAILABLE_FEATURES) {
      const [method = '', path = ''] = (routes[0] ?? '').split(' ');
      for (const base of ['/api', '/api/v1']) {
        const answer = await ask(base + path.replaceAll(/:\w+/g, 'x'), { method, key: ACME });
        expect([answer.status, answer.body['code'], answer.body['feature']]).toEqual([
          501,
          'not_available',
          feature,
        ]);
      }
    }
    const controlPlane = await ask('/api/v1/audit/events', { key: ADMIN });
    expect([controlPlane.status, controlPlane.text]).toEqual([
      501,
      expect.stringContaining('CONTROL_PLANE_URL'),
    ]);
  });

  it('refuse what a role does not include before core is asked', async () => {
    const { ask, core } = await world();
    const refused = await ask('/api/v1/events', { method: 'POST', key: ACME_READER, body: '{}' });
    expect([refused.status, refused.body['error']]).toMatchObject([
      403,
      { code: 'forbidden', permission: 'write' },
    ]);
    expect((await ask('/api/v1/tenants', { key: ACME })).status).toBe(403);
    expect(core.arrivals).toEqual([]);
  });
});

describe('keys', () => {
  it('work here as soon as core has them, and unknown ones are refused', async () => {
    const { ask, core } = await world();
    expect((await ask('/api/v1/stats', { key: 'a-new-key' })).status).toBe(401);
    for (let i = 0; i < 5; i++) {
      core.addKey(`a-new-key-${i}`, { tenant: `new-${i}`, role: 'readonly' });
      expect((await ask('/api/v1/stats', { key: `a-new-key-${i}` })).status).toBe(200);
      expect((await ask(`/api/v1/stats?tenant_id=new-${i}`, { key: ADMIN })).status).toBe(200);
    }
    const hidden = await ask('/api/v1/stats?tenant_id=other', { key: ACME });
    const absent = await ask('/api/v1/stats?tenant_id=nowhere', { key: ACME });
    expect([hidden.status, absent.status]).toEqual([403, 403]);
  });
});

describe('a gateway without core', () => {
  it('starts, says what it waits for, refuses nobody as unknown, and recovers', async () => {
    const lost = await gatewayWorld();
    const port = new URL(lost.core.url).port;
    await lost.core.close();
    const made = await gatewayWorld({ CORE_URL: `http://127.0.0.1:${port}` }, false);
    cleanups.add(() => made.close());
    const waiting = await made.ask('/readyz');
    expect([waiting.status, waiting.body['status']]).toEqual([503, 'not_ready']);
    expect((await made.ask('/livez')).status).toBe(200);
    expect((await made.ask('/health')).body['status']).toBe('unhealthy');
    expect((await made.ask('/api/v1/stats', { key: ACME })).status).toBe(503);
    await made.core.close();
    await made.core.listen(Number(port));
    await untilReady(made);
    expect((await made.ask('/api/v1/stats', { key: ACME })).status).toBe(200);
    expect((await made.ask('/api/v1/health')).body['status']).toBe('healthy');
    await lost.service.close();
  });

  it('answers reads and writes with 503 while core is away, eventual reads excepted', async () => {
    const { ask, core, service } = await gatewayWorld();
    core.append('acme', [{ type: 'a.b', entity: 'e' }]);
    expect((await ask('/api/v1/stats', { key: ACME })).body['total_events']).toBe(1);
    await core.close();
    const write = await ask('/api/v1/events', { method: 'POST', key: ACME, body: '{}' });
    expect(write).toMatchObject({ status: 503, body: { outcome: 'not_done' } });
    expect((await ask('/api/v1/stats', { key: ACME })).status).toBe(503);
    const eventual = await ask('/api/v1/stats?consistency=eventual', { key: ACME });
    expect(eventual.body['total_events']).toBe(1);
    await service.close();
  });
});

describe('a request that core has forwarded', () => {
  const marked = { 'x-allsource-forwarded-by': 'core' };

  it('is answered from the read stores, and never forwarded back to core', async () => {
    const { ask, core, service } = await world();
    core.append('acme', [{ type: 'a.b', entity: 'e' }]);
    const own = await ask('/api/v1/entities', { key: ACME, headers: marked });
    expect([own.status, own.body['total']]).toEqual([200, 1]);
    const paths = service.routes
      .filter(({ method, path }) => method === 'GET' && path.startsWith('/api/v1/'))
      .map(({ path }) => path.replaceAll(/:\w+/g, 'x').replace('{/*below}', ''));
    for (const path of paths) await ask(path, { key: ADMIN, headers: marked });
    expect(core.arrivals).toEqual([]);
    const state = await ask('/api/v1/projections/mine/e/state', { key: ACME, headers: marked });
    expect(state).toMatchObject({ status: 508, body: { error: { code: 'forwarding_loop' } } });
    const again = await ask('/api/v1/projections/mine/e/state', { key: ACME });
    expect(again.status).toBe(200);
    expect(core.arrivals.map(({ headers }) => headers['x-allsource-forwarded-by'])).toEqual([
      'gateway',
    ]);
  });
});
