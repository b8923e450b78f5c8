/**
 * A client that sends everything to core gets the answers of the gateway: each read that the query service owns is asked on both ports, and both
 * say the same. Only the form of an error and what belongs to one request differ.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { RunningStore } from '../support/running-store.ts';

const ENTITY = 'order/1 a';
const ID = encodeURIComponent(ENTITY);
const SINCE = 'since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z';

const ANSWERED = [
  '/api/v1/events/query',
  '/api/v1/events/query?event_type=order.placed&limit=2&order=desc',
  '/api/v1/events/query?payload_filter=%7B%22n%22%3A1%7D',
  '/api/v1/events',
  `/api/v1/events?stream_id=${ID}`,
  '/api/v1/events/recent?limit=3',
  `/api/v1/events/entity/${ID}`,
  '/api/v1/events/type/order.paid',
  '/api/v1/streams',
  '/api/v1/event-types',
  '/api/v1/compaction/stats',
  '/api/v1/parquet/files',
  '/api/v1/entities',
  '/api/v1/entities?order=asc&limit=1',
  '/api/v1/entities/duplicates?event_type_prefix=order.&group_by=kind',
  `/api/v1/entities/${ID}/state`,
  `/api/v1/entities/${ID}/state?as_of=2026-01-15T00:00:00Z`,
  `/api/v1/entities/${ID}/state?as_of_recorded=2100-01-01T00:00:00Z&history_limit=0`,
  `/api/v1/entities/${ID}/snapshot`,
  `/api/v1/snapshots/${ID}/latest`,
  `/api/v1/snapshots?entity_id=${ID}`,
  '/api/v1/projections',
  '/api/v1/projections/entity_snapshots',
  `/api/v1/projections/entity_snapshots/${ID}/state`,
  '/api/v1/projections/entity_snapshots/nobody/state',
  '/api/v1/projections/event_counters/order.placed/state',
  '/api/v1/projections/event_counters/state',
  `/api/v1/analytics/frequency?window=day&${SINCE}`,
  `/api/v1/analytics/summary?${SINCE}`,
  `/api/v1/analytics/correlation?event_type_a=order.placed&event_type_b=order.paid&time_window_seconds=60`,
] as const;

const REFUSED = [
  [400, '/api/v1/events?limit=-1'],
  [400, '/api/v1/entities?order=up'],
  [400, '/api/v1/entities/duplicates'],
  [404, '/api/v1/entities/nobody/state'],
  [404, '/api/v1/entities/nobody/snapshot'],
  [404, '/api/v1/projections/unknown'],
  [400, '/api/v1/analytics/frequency?window=day'],
  [400, '/api/v1/analytics/percentiles'],
  [404, '/api/v1/schema-evolution/history/unknown'],
  [400, '/api/v1/snapshots?limit=-1'],
  [404, '/api/v1/snapshots/nobody/latest'],
  [404, '/api/v1/snapshots/runs/none'],
  [400, `/api/v1/entities/${ID}/state?as_of_recorded=soon`],
] as const;

describe("core's port and the gateway's", () => {
  let store: RunningStore;

  beforeAll(async () => {
    store = await RunningStore.start();
    const events = Array.from({ length: 12 }, (_, i) => ({
      event_type: i % 2 === 0 ? 'order.placed' : 'order.paid',
      entity_id: i % 3 === 0 ? ENTITY : `order-${i % 4}`,
      timestamp: `2026-01-${String(10 + i)}T12:00:00Z`,
      payload: { n: i % 3, kind: i % 4 < 2 ? 'secret' : 'open' },
    }));
    await store.post('/api/v1/events/batch', { events });
  });

  afterAll(async () => {
    await store?.remove();
  });

  async function onBoth(path: string, key?: string): Promise<[Answer, Answer]> {
    const init = key === undefined ? {} : { key };
    return [await store.ask(store.coreUrl + path, init), await store.ask(store.url + path, init)];
  }

  it('show all that was appended', async () => {
    for (const answer of await onBoth('/api/v1/events/query'))
      expect([answer.status, answer.body.total_count]).toEqual([200, 12]);
  });

  it.each(ANSWERED)('answer GET %s with the same bytes', async (path) => {
    const [core, gateway] = await onBoth(path);
    expect([core.status, core.text]).toEqual([200, gateway.text]);
    expect(gateway.status).toBe(200);
    for (const name of ['content-type', 'x-allsource-position'])
      expect([name, core.headers.get(name)]).toEqual([name, gateway.headers.get(name)]);
  });

  it.each(REFUSED)('refuse with %i GET %s for the same reason', async (status, path) => {
    const [core, gateway] = await onBoth(path);
    expect([core.status, gateway.status]).toEqual([status, status]);
    const { error: text, traceId: _one, ...ofCore } = core.body;
    const { error: object, traceId: _other, ...ofGateway } = gateway.body;
    expect(ofCore).toEqual(ofGateway);
    expect([typeof text, String(text).endsWith(object.message)]).toEqual(['string', true]);
  });

  it('give a tenant its own events only, whichever is asked', async () => {
    await store.post('/api/v1/tenants', { id: 'other', name: 'other' });
    const made = await store.post('/api/v1/auth/api-keys', {
      name: 'k',
      role: 'developer',
      tenant_id: 'other',
    });
    for (const path of ANSWERED) {
      const [core, gateway] = await onBoth(path, made.body.key);
      expect([path, core.status]).toEqual([path, gateway.status]);
      expect([path, core.text]).toEqual([path, expect.not.stringContaining('secret')]);
      const forced = `${path}${path.includes('?') ? '&' : '?'}tenant_id=default`;
      const answers = await onBoth(forced, made.body.key);
      for (const { status } of answers) expect([forced, status]).toEqual([forced, 403]);
    }
  });

  it('go on behind a cursor that either has named', async () => {
    const path = `/api/v1/events/query?entity_id=${ID}&limit=1`;
    const { body } = await store.ask(path);
    const next = `${path}&cursor=${body.next_cursor}`;
    const [ours, cores] = [await store.ask(next), await store.ask(store.coreUrl + next)];
    expect(ours.body.events[0].version).toBe(body.events[0].version + 1);
    expect([cores.status, cores.body.events]).toEqual([200, ours.body.events]);
    const refused = await store.ask(`${store.coreUrl}${path}&cursor=x`);
    expect([refused.status, refused.body.parameter]).toEqual([400, 'cursor']);
  });

  it('take a snapshot of one entity or of all, whichever is asked', async () => {
    for (const base of [store.coreUrl, store.url]) {
      const one = await store.post(`${base}/api/v1/snapshots`, { entity_id: ENTITY });
      expect(one).toMatchObject({ status: 200, body: { entity_id: ENTITY, event_count: 4 } });
      const latest = await store.ask(`${base}/api/v1/snapshots/${ID}/latest`);
      expect(latest.body.snapshot_id).toBe(one.body.snapshot_id);
      const all = await store.post(`${base}/api/v1/snapshots`, {});
      let run = await store.ask(base + String(all.body.follow));
      while (run.body.completed_at === null) run = await store.ask(base + String(all.body.follow));
      expect([all.status, run.body.status]).toEqual([202, 'completed']);
      expect(run.body.entities_done).toBeGreaterThanOrEqual(run.body.entities_total);
    }
    const ordered = await store.post('/api/v1/operations/snapshot', { entity_id: ENTITY });
    expect(ordered).toMatchObject({ status: 200, body: { status: 'created', event_count: 4 } });
    const listed = await store.ask(`/api/v1/operations/snapshots?entity_id=${ID}`);
    expect(listed.body.snapshots[0].id).toBe(ordered.body.snapshot_id);
  });

  it('know at once what the other has acknowledged', async () => {
    for (let n = 1; n <= 10; n++) {
      const event = { event_type: 'count.up', entity_id: 'counter', payload: { n } };
      await store.post(`${store.coreUrl}/api/v1/events`, event);
      const answer = await store.ask(`${store.coreUrl}/api/v1/entities/counter/snapshot`);
      expect(answer.body.snapshot).toEqual({ n });
    }
  });
});
