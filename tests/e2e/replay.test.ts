/**
 * Replays as their users meet them: over the gateway, over core's port and as operations of the control plane, on the three services as processes. That a
 * replay puts right what was wrong is shown in services/query/test/replay.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { RunningStore } from '../support/running-store.ts';

const COMMITS = 20;
const EVENTS = 500;

let store: RunningStore;
beforeAll(async () => {
  store = await RunningStore.start();
  for (let commit = 0; commit < COMMITS; commit++) {
    const events = Array.from({ length: EVENTS }, (_, i) => ({
      event_type: i % 2 === 0 ? 'order.placed' : 'order.paid',
      entity_id: `order-${(commit * EVENTS + i) % 900}`,
      payload: { commit, n: i },
    }));
    const appended = await store.post('/api/v1/events/batch', { events });
    if (appended.status !== 201) throw new TypeError(appended.text);
  }
});
afterAll(() => store.remove());

async function ended(url: string): Promise<Answer> {
  for (;;) {
    const answer = await store.ask(url);
    if (answer.status !== 200) throw new TypeError(answer.text);
    const { status } = answer.body as { status: string };
    if (status !== 'running' && status !== 'pending') return answer;
    await sleep(20);
  }
}

describe('a replay', () => {
  it('is started and watched over the gateway, and over core', async () => {
    const count = '/api/v1/projections/event_counters/order.paid/state';
    const before = await store.ask(count);
    for (const base of [store.url, store.coreUrl]) {
      const begun = await store.post(`${base}/api/v1/replay`, {});
      expect(begun).toMatchObject({
        status: 200,
        body: { status: 'running', total_events: COMMITS * EVENTS },
      });
      const url = `${base}/api/v1/replay/${begun.body.replay_id}`;
      expect((await ended(url)).body).toMatchObject({
        status: 'completed',
        processed_events: COMMITS * EVENTS,
        results: [{ key_count: 900 }, { key_count: 2 }],
      });
      expect((await store.ask(count)).body).toEqual(before.body);
      expect((await store.ask(`${base}/api/v1/replay`)).body.total).toBeGreaterThan(0);
      expect((await store.post(`${url}/cancel`, {})).status).toBe(400);
      expect((await store.ask(url, { method: 'DELETE' })).status).toBe(200);
      expect((await store.ask(url)).status).toBe(404);
    }
    const rebuilt = await store.post(
      `${store.coreUrl}/api/v1/projections/event_counters/rebuild`,
      {},
    );
    expect(rebuilt).toMatchObject({ status: 202, body: { status: 'rebuilding' } });
    await ended(`/api/v1/replay/${rebuilt.body.replay_id}`);
  });

  it('is an operation of the control plane', async () => {
    const { controlPlaneUrl } = store;
    const begun = await store.post(`${controlPlaneUrl}/api/v1/operations/replay`, {
      entity_id: 'order-7',
      as_of: '2030-01-01T00:00:00Z',
      config: { batch_size: 100 },
    });
    expect(begun).toMatchObject({
      status: 200,
      body: { status: 'replay_initiated', entity_id: 'order-7', type: 'replay' },
    });
    const url = `${controlPlaneUrl}/api/v1/operations/replay/${begun.body.id}`;
    const operation = await ended(url);
    expect(operation.body).toMatchObject({
      id: begun.body.replay_id,
      status: 'completed',
      tenant_id: 'default',
      parameters: { filters: { entity_id: 'order-7' }, config: { batch_size: 100 } },
      // A time filter can leave something out, so nothing is replaced.
      result: [{ replaced: 'none', key_count: 1 }, { replaced: 'none' }],
      initiated_by: begun.body.initiated_by,
      error: null,
    });
    // The gateway leads there too.
    const { body } = await store.ask('/api/v1/operations/replay');
    expect(body.operations).toContainEqual(operation.body);
    expect((await store.post(`${url}/cancel`, {})).status).toBe(400);
  });

  it('goes on after the store was killed', async () => {
    const begun = await store.post('/api/v1/replay', { config: { batch_size: 1 } });
    await store.killAll();
    await store.launch();
    const answer = await ended(`/api/v1/replay/${begun.body.replay_id}`);
    expect(answer.body).toMatchObject({ status: 'completed', total_events: COMMITS * EVENTS });
    const { body } = await store.ask('/api/v1/projections/event_counters/order.paid/state');
    expect(body.state).toEqual({ count: (COMMITS * EVENTS) / 2 });
  });
});
