/**
 * A tenant learns nothing of another, on either public port: every reading route is asked by one tenant for what another has, and for what nobody
 * has, and the answers must be the same but for the names in them.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import type { Answer } from '@allsource/testkit';
import { RunningStore } from '../support/running-store.ts';

const MARK = 'belongs-to-acme';
const ROUTES: readonly ((name: string, id: string) => string)[] = [
  (name) => `/api/v1/events/query?entity_id=${name}`,
  (name) => `/api/v1/events/query?event_type=${name}.happened`,
  (name) => `/api/v1/events/query?event_type_prefix=${name}`,
  (name) =>
    `/api/v1/events/query?payload_filter=${encodeURIComponent(JSON.stringify({ of: name }))}`,
  (name) => `/api/v1/events?entity_id=${name}`,
  (name) => `/api/v1/events/entity/${name}`,
  (name) => `/api/v1/events/type/${name}.happened`,
  (_name, id) => `/api/v1/events/${id}`,
  (name) => `/api/v1/entities/${name}/state`,
  (name) => `/api/v1/entities/${name}/state?as_of_recorded=2100-01-01T00:00:00Z`,
  (name) => `/api/v1/entities/${name}/snapshot`,
  (name) => `/api/v1/snapshots/${name}/latest`,
  (name) => `/api/v1/snapshots?entity_id=${name}`,
  () => '/api/v1/snapshots',
  () => '/api/v1/replay',
  (name) => `/api/v1/entities?event_type_prefix=${name}`,
  (name) => `/api/v1/entities/duplicates?event_type_prefix=${name}&group_by=of`,
  (name) => `/api/v1/consumers/${name}`,
  (name) => `/api/v1/consumers/${name}/events`,
  (name) => `/api/v1/projections/${name}/${name}/state`,
  (name) => `/api/v1/projections/${name}/state`,
  () => '/api/v1/projections',
  (name) => `/api/v1/projections/${name}-counts`,
  (name) => `/api/v1/projections/${name}-counts/state`,
  (name) => `/api/v1/projections/${name}-counts/${name}.happened/state`,
  (name) => `/api/v1/projections/${name}-counts/parked`,
  (name) => `/api/v1/projections/${name}-counts/skipped`,
  (name) => `/api/v1/projections/entity_snapshots/${name}/state`,
  (name) => `/api/v1/projections/event_counters/${name}.happened/state`,
  (name) => `/api/v1/analytics/summary?entity_id=${name}`,
  (name) => `/api/v1/analytics/frequency?since=2020-01-01T00:00:00Z&window=month&entity_id=${name}`,
  () => '/api/v1/events/query',
  () => '/api/v1/events/recent',
  () => '/api/v1/streams',
  () => '/api/v1/event-types',
  () => '/api/v1/entities',
  () => '/api/v1/stats',
  () => '/api/v1/projections/entity_snapshots/state',
];
const NOBODYS_ID = '01a1fded-7f53-74a7-8310-0000000fffff';
// What may differ between two answers about nothing: names that were asked for, ids of requests, the clock, positions, figures of the process.
const VARYING =
  /"(traceId|timestamp|to|position|uptime_seconds|memory_used_bytes|storage_used_bytes|\w+_rate_per_sec)":("[^"]*"|[\d.]+)/g;

describe('another tenant', () => {
  let store: RunningStore;
  const keys: Record<string, string> = {};
  let acmeId = '';

  beforeAll(async () => {
    store = await RunningStore.start();
    for (const tenant of ['acme', 'globex']) {
      await store.post('/api/v1/tenants', { id: tenant });
      const made = await store.post('/api/v1/auth/api-keys', {
        name: tenant,
        tenant_id: tenant,
        role: 'developer',
      });
      keys[tenant] = made.body.key;
    }
    const key = keys['acme'] as string;
    const event = {
      event_type: 'acme.happened',
      entity_id: 'acme',
      payload: { of: 'acme', mark: MARK },
    };
    acmeId = (await store.post('/api/v1/events', event, { key })).body.event_id;
    await store.post(
      '/api/v1/consumers',
      { consumer_id: 'acme', event_type_filters: ['acme.*'] },
      { key },
    );
    await store.post('/api/v1/consumers/acme/ack', { position: 1 }, { key });
    const counts = { name: 'acme-counts', type: 'event_counter', description: MARK, start: true };
    const created = await store.post('/api/v1/projections', counts, { key });
    if (created.status !== 201) throw new TypeError(created.text);
    await store.ask('/api/v1/projections/acme/acme/state', {
      method: 'PUT',
      key,
      body: JSON.stringify({ state: { mark: MARK } }),
    });
  });
  afterAll(() => store?.remove(), 60_000);

  it('gets the same answer for what is not there and for what is not its own, from every reading route', async () => {
    let compared = 0;
    for (const base of [store.url, store.coreUrl]) {
      for (const route of ROUTES) {
        const own = await store.ask(base + route('acme', acmeId), { key: keys['acme'] as string });
        const foreign = await store.ask(base + route('acme', acmeId), {
          key: keys['globex'] as string,
        });
        const nobody = await store.ask(base + route('nobody', NOBODYS_ID), {
          key: keys['globex'] as string,
        });
        expect([base + route('acme', acmeId), foreign.text]).not.toEqual([
          expect.anything(),
          expect.stringContaining(MARK),
        ]);
        expect([route('acme', acmeId), comparable(foreign, 'acme', acmeId)]).toEqual([
          route('acme', acmeId),
          comparable(nobody, 'nobody', NOBODYS_ID),
        ]);
        expect([route('acme', acmeId), own.status]).not.toEqual([expect.anything(), 500]);
        compared++;
      }
    }
    console.info(`${compared} pairs of answers compared`);
  });

  it('cannot write into it, by the body, the query or the path', async () => {
    const key = keys['globex'] as string;
    const event = {
      event_type: 'globex.happened',
      entity_id: 'acme',
      payload: {},
      tenant_id: 'acme',
    };
    for (const base of [store.url, store.coreUrl]) {
      expect((await store.post(`${base}/api/v1/events`, event, { key })).status).toBe(403);
      expect(
        (
          await store.post(
            `${base}/api/v1/events?tenant_id=acme`,
            { ...event, tenant_id: undefined },
            { key },
          )
        ).status,
      ).toBe(403);
      expect(
        (await store.ask(`${base}/api/v1/events/query?entity_id=acme&tenant_id=acme`, { key }))
          .status,
      ).toBe(403);
      expect(
        (await store.post(`${base}/api/v1/snapshots`, { entity_id: 'acme' }, { key })).status,
      ).toBe(404);
      await store.post(`${base}/api/v1/consumers/acme/ack`, { position: 2 }, { key });
    }
    const { body } = await store.ask('/api/v1/consumers/acme', { key: keys['acme'] as string });
    expect(body.cursor_position).toBe(1);
  });

  it('sees nothing of it in its live streams, also not with its consumer id', async () => {
    for (const base of [store.url, store.coreUrl]) {
      const url = `${base.replace('http', 'ws')}/api/v1/events/stream?consumer_id=acme`;
      const socket = new WebSocket(url, { headers: { authorization: `Bearer ${keys['globex']}` } });
      const frames: string[] = [];
      socket.on('message', (data: Buffer) => frames.push(data.toString('utf8')));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      const acme = { event_type: 'acme.happened', entity_id: 'acme', payload: { mark: MARK } };
      const globex = {
        event_type: 'globex.happened',
        entity_id: 'globex',
        payload: { mine: true },
      };
      await store.post('/api/v1/events', acme, { key: keys['acme'] as string });
      await store.post('/api/v1/events', globex, { key: keys['globex'] as string });
      while (!frames.some((frame) => frame.includes('"mine":true')))
        await new Promise((resolve) => setTimeout(resolve, 10));
      socket.close();
      expect(frames.join('\n')).not.toContain(MARK);
    }
  });

  it('reaches no internal route through the gateway', async () => {
    for (const path of [
      '/internal/v1/head',
      '/internal/v1/feed?from=1',
      '/api/v1/../../internal/v1/head',
    ]) {
      const answer = await store.ask(path, {
        key: keys['globex'] as string,
        headers: { 'x-allsource-internal-token': 'guess' },
      });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });
});

function comparable(answer: Answer, name: string, id: string): string {
  const text = answer.text.replace(VARYING, '').replaceAll(id, '<id>').replaceAll(name, '<name>');
  return `${answer.status} ${text}`;
}
