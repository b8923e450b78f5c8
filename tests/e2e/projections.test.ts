/**
 * Projections of a tenant's own as their users meet them: on the three services as processes, over the gateway, over core's port and with the command. What each type computes is shown in
 * services/query/test/projections.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { run } from '../support/command.ts';
import { RunningStore } from '../support/running-store.ts';

const EVENTS = 2_000;
const ENTITIES = 40;
/** Cannot fold a total that is no number. */
const REDUCER = `(state, event) => {
  if (typeof event.payload.total !== 'number') throw new TypeError('no total');
  return { sum: (state.sum ?? 0) + event.payload.total };
}`;
const BASE = '/api/v1/projections';

let store: RunningStore;

function order(i: number, total: unknown = i % 7) {
  return {
    event_type: i % 2 === 0 ? 'order.placed' : 'order.paid',
    entity_id: `order-${i % ENTITIES}`,
    payload: { total },
  };
}

async function create(body: object): Promise<Answer> {
  const created = await store.post(BASE, { start: true, ...body });
  if (created.status !== 201) throw new TypeError(created.text);
  return created;
}

/** A read waits for what was appended before it, so only a first build can make it come back later. */
async function read(path: string): Promise<Answer> {
  for (;;) {
    const answer = await store.ask(path);
    if (answer.status !== 503) return answer;
    if (answer.body.code !== 'read_behind' && answer.body.code !== 'starting')
      throw new TypeError(answer.text);
    await sleep(20);
  }
}

const stateOf = async (name: string, key: string) =>
  (await read(`${BASE}/${name}/${key}/state`)).body.state;

beforeAll(async () => {
  store = await RunningStore.start();
  const events = Array.from({ length: EVENTS }, (_, i) => order(i));
  const appended = await store.post('/api/v1/events/batch', { events });
  if (appended.status !== 201) throw new TypeError(appended.text);
}, 60_000);
afterAll(() => store.remove(), 60_000);

describe('a projection', () => {
  it('says what was appended a moment ago, on both ports', async () => {
    await create({ name: 'by-entity', type: 'event_counter', definition: { by: 'entity' } });
    for (let more = 1; more <= 5; more++) {
      await store.post('/api/v1/events', order(0));
      expect(await stateOf('by-entity', 'order-0')).toEqual({ count: EVENTS / ENTITIES + more });
    }
    const path = `${BASE}/by-entity/order-0/state`;
    for (const same of [path, `${BASE}/by-entity/state?limit=3`, `${BASE}/by-entity`]) {
      const [core, gateway] = [await store.ask(store.coreUrl + same), await store.ask(same)];
      expect([core.status, Object.keys(core.body)]).toEqual([200, Object.keys(gateway.body)]);
      expect(core.body.states).toEqual(gateway.body.states);
    }
    const saved = { method: 'PUT', body: '{"state":1}' };
    expect((await store.ask(store.coreUrl + path, saved)).status).toBe(400);
    expect((await store.ask(path, saved)).status).toBe(400);
  });

  it('is never read half built while a changed one is made, and goes back at once', async () => {
    await create({ name: 'totals', type: 'event_counter', event_types: ['order.placed'] });
    const placed = await stateOf('totals', 'order.placed');
    expect(placed.count).toBeGreaterThanOrEqual(EVENTS / 2);
    const changed = { method: 'PATCH', body: '{"event_types":["order.*"]}' };
    expect((await store.ask(`${BASE}/totals`, changed)).body.data.version).toBe(2);
    for (let live = 1; live === 1; live = (await store.ask(`${BASE}/totals`)).body.live_build) {
      expect(await stateOf('totals', 'order.placed')).toEqual(placed);
    }
    expect((await stateOf('totals', 'order.paid')).count).toBe(EVENTS / 2);
    const { builds } = (await store.ask(`${BASE}/totals`)).body;
    expect(builds.find((one: { build: number }) => one.build === 2).compared).toMatchObject({
      with_build: 1,
      rows: 2,
      rows_before: 1,
    });
    const back = await store.post(`${BASE}/totals/rollback`, {});
    expect(back.body.data.pinned_build).toBe(1);
    expect(await stateOf('totals', 'order.paid')).toBeNull();
    expect(await stateOf('totals', 'order.placed')).toEqual(placed);
  }, 60_000);

  it('lets only the entity wait whose event it cannot fold, and goes on with it when it is mended', async () => {
    await create({
      name: 'sums',
      type: 'custom',
      definition: { language: 'javascript', source: REDUCER },
      on_fault: { policy: 'park', retries: 0 },
    });
    const before = await stateOf('sums', 'order-1');
    await store.post('/api/v1/events/batch', {
      events: [order(1, 'much'), order(1, 5), order(2, 3)],
    });
    expect(await stateOf('sums', 'order-1')).toEqual(before);
    const { body } = await store.ask(`${BASE}/sums/parked`);
    expect(body).toMatchObject({
      total: 1,
      parked: [{ entity_id: 'order-1', events_waiting: 2, event_type: 'order.paid' }],
    });
    expect(body.parked[0].reason).toContain('no total');
    const mended = REDUCER.replace("throw new TypeError('no total')", 'return state');
    const definition = { language: 'javascript', source: mended };
    const patch = { method: 'PATCH', body: JSON.stringify({ definition }) };
    expect((await store.ask(`${BASE}/sums`, patch)).status).toBe(200);
    for (let live = 1; live === 1; live = (await store.ask(`${BASE}/sums`)).body.live_build)
      await sleep(20);
    expect(await stateOf('sums', 'order-1')).toEqual({ sum: before.sum + 5 });
    expect((await store.ask(`${BASE}/sums`)).body.parked_entities).toBe(0);
  }, 60_000);

  it('is the same after the read side was deleted, with everything that was said to it', async () => {
    await create({ name: 'paused', type: 'entity_snapshot' });
    await store.post(`${BASE}/paused/pause`, {});
    const shown = async () => {
      const { body } = await store.ask(BASE);
      return body.projections
        .filter((row: object) => 'wanted_status' in row)
        .map((row: Record<string, unknown>) =>
          ['name', 'wanted_status', 'version', 'created_at'].map((member) => row[member]),
        );
    };
    const states = async () => [
      (await read(`${BASE}/by-entity/state`)).body.states,
      (await read(`${BASE}/sums/state`)).body.states,
      // The build that it was rolled back to is made again.
      (await read(`${BASE}/totals/state`)).body.states,
    ];
    const lag = async (name: string) => {
      const { lag_events, lag_seconds } = (await store.ask(`${BASE}/${name}`)).body;
      return [lag_events > 0, lag_seconds > 0];
    };
    await store.post('/api/v1/events', order(0));
    await sleep(200);
    const before = [await shown(), await states(), await lag('paused')];
    expect(before.at(-1)).toEqual([true, true]);
    expect((await store.ask(`${BASE}/event_counters`)).body).toMatchObject({
      lag_events: 0,
      lag_seconds: 0,
      is_stalled: false,
    });
    await store.stop();
    rmSync(join(store.dataDir, 'query'), { recursive: true });
    await store.launch();
    expect([await shown(), await states(), await lag('paused')]).toEqual(before);
  }, 60_000);

  it('is looked after with the command', async () => {
    const listed = await run(store, ['projections', 'list', '--output', 'table']);
    expect(listed.stdout).toMatch(/by-entity +event_counter +running/);
    const deleted = await run(store, ['projections', 'delete', 'by-entity', '--yes']);
    expect(await deleted.exitCode).toBe(0);
    expect((await store.ask(`${BASE}/by-entity`)).status).toBe(404);
    expect((await store.ask(`${store.coreUrl}${BASE}/by-entity/order-0/state`)).body.found).toBe(
      false,
    );
  });
});
