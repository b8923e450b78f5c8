/**
 * The main job on real input, as a person does it: start the store, import two real event logs with the command, lose all processes to kill -9 in the middle
 * of one import, start again, resume, and find everything. What is expected is computed here from the log files themselves.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventLog, eventLog, type LoggedEvent, SeededRandom, until } from '@allsource/testkit';
import { Command, run } from '../support/command.ts';
import { DATA_FOLDER, RunningStore } from '../support/running-store.ts';

interface TailedEvent {
  readonly position: number;
  readonly entity_id: string;
}

const tempFolder = mkdtempSync(join(tmpdir(), 'allsource-logs-'));
const logs: Record<'permits' | 'incidents', EventLog> = {
  permits: eventLog('permits', { dataFolder: DATA_FOLDER, tempFolder }),
  incidents: eventLog('incidents', { dataFolder: DATA_FOLDER, tempFolder }),
};
const all = [...logs.permits.events, ...logs.incidents.events];

describe('two real event logs', () => {
  let store: RunningStore;
  let tail: Command;

  beforeAll(async () => {
    console.info(`input: ${logs.permits.origin}; ${logs.incidents.origin}`);
    store = await RunningStore.start();
    tail = new Command(store, ['tail', '--from-start', '--output', 'ndjson']);
  });

  afterAll(async () => {
    tail?.process.kill();
    await store?.remove();
    rmSync(tempFolder, { recursive: true, force: true });
  });

  it('are imported whole, one of them over a kill -9 of every process in its middle', async () => {
    const permits = await run(store, ['import', logs.permits.file]);
    expect([permits.stderr, await permits.exitCode]).toEqual([expect.anything(), 0]);

    const incidents = new Command(store, ['import', logs.incidents.file, '--batch-size', '200']);
    const killedAt = await totalWhenOver(store, logs.permits.totals.events + 15_000);
    await store.killAll();
    await store.launch();
    let exitCode = await incidents.exitCode;
    if (exitCode === 6)
      exitCode = await (await run(store, ['import', logs.incidents.file, '--batch-size', '200']))
        .exitCode;
    expect([incidents.stderr.slice(-500), exitCode]).toEqual([expect.anything(), 0]);
    const again = await run(store, ['import', logs.incidents.file, '--batch-size', '200']);
    expect(await again.exitCode).toBe(0);
    console.info(
      `killed all four processes with ${killedAt} events acknowledged; the import then ended, and a second one appended nothing`,
    );
  });

  it('have exactly their published totals', async () => {
    for (const [prefix, log] of [
      ['permit', logs.permits],
      ['incident', logs.incidents],
    ] as const) {
      const type = log.events[0]?.event_type.split('.')[0] ?? prefix;
      const events = await store.ask(`/api/v1/events/query?event_type_prefix=${type}.&limit=1`);
      const entities = await store.ask(`/api/v1/entities?event_type_prefix=${type}.&limit=1`);
      expect([events.body.total_count, entities.body.total]).toEqual([
        log.totals.events,
        log.totals.entities,
      ]);
    }
    const stats = await store.ask('/api/v1/stats');
    expect([stats.body.total_events, stats.body.total_entities]).toEqual([
      all.length,
      countEntities(all),
    ]);
  });

  it('give back the history of any entity: in order, versions 1..n, payloads byte for byte', async () => {
    const random = new SeededRandom(7);
    for (let i = 0; i < 40; i++) {
      const entity = random.pick(all).entity_id;
      const expected = all.filter((event) => event.entity_id === entity);
      for (const base of [store.url, store.coreUrl]) {
        const { body, text } = await store.ask(
          `${base}/api/v1/events/query?entity_id=${encodeURIComponent(entity)}`,
        );
        expect(body.events.map((e: { version: number }) => e.version)).toEqual(
          expected.map((_, index) => index + 1),
        );
        expect(body.events.map((e: { event_type: string }) => e.event_type)).toEqual(
          expected.map((e) => e.event_type),
        );
        for (const event of expected) expect(text).toContain(`"payload":${event.payloadText}`);
      }
    }
  });

  it('give the state of an entity as of a date in the middle of its case', async () => {
    const random = new SeededRandom(8);
    for (let i = 0; i < 20; i++) {
      const history = historyOfSome(random);
      const middle = history[Math.floor(history.length / 2)] as LoggedEvent;
      const path = `/api/v1/entities/${encodeURIComponent(middle.entity_id)}/state?as_of=${middle.timestamp}`;
      const { body } = await store.ask(path);
      const before = history.filter((event) => event.timestamp <= middle.timestamp);
      const merged = Object.assign(
        {},
        ...before.map((event) => JSON.parse(event.payloadText) as object),
      ) as object;
      expect([body.current_state, body.event_count]).toEqual([merged, before.length]);
    }
  });

  it('give the frequency of each month', async () => {
    for (const log of Object.values(logs)) {
      const type = log.events[0]?.event_type.split('.')[0];
      const types = new Set(log.events.map((event) => event.event_type));
      const some = [...types].toSorted()[0] as string;
      const events = log.events.filter((event) => event.event_type === some);
      const since = log.events[0]?.timestamp as string;
      const { body } = await store.ask(
        `/api/v1/analytics/frequency?window=month&since=${since}&event_type=${some}`,
      );
      const months = new Map<string, number>();
      for (const event of events)
        months.set(event.timestamp.slice(0, 7), (months.get(event.timestamp.slice(0, 7)) ?? 0) + 1);
      const filled = body.buckets.filter((bucket: { count: number }) => bucket.count > 0);
      expect([
        type,
        filled.map((b: { timestamp: string; count: number }) => [b.timestamp.slice(0, 7), b.count]),
      ]).toEqual([type, [...months].toSorted(([a], [b]) => a.localeCompare(b))]);
      expect(body.total_events).toBe(events.length);
    }
  });

  it('were seen by a live tail, across the crash, each event once and in order', async () => {
    await until(() => tail.stdout.split('\n').length - 1 >= all.length);
    const seen = tail.lines<TailedEvent>();
    const positions = seen.map((event) => event.position);
    expect(positions).toHaveLength(all.length);
    expect(
      positions.every((position, i) => i === 0 || position > (positions[i - 1] as number)),
    ).toBe(true);
    expect(seen.map((event) => event.entity_id)).toEqual(all.map((event) => event.entity_id));
  });

  it('are read the same after the read store is deleted and built again', async () => {
    const questions = [
      '/api/v1/events/query?event_type_prefix=incident.completed&order=desc&limit=50',
      '/api/v1/entities?limit=20',
      '/api/v1/event-types',
      '/api/v1/streams?limit=20',
      '/api/v1/analytics/summary',
      `/api/v1/entities/${encodeURIComponent(all[0]?.entity_id ?? '')}/state`,
    ];
    const before = await Promise.all(
      questions.map(async (question) => (await store.ask(question)).body),
    );
    expect(await store.stop()).toBe(0);
    for (const name of readdirSync(join(store.dataDir, 'query')))
      rmSync(join(store.dataDir, 'query', name), { recursive: true });
    await store.launch();
    const after = await Promise.all(
      questions.map(async (question) => (await store.ask(question)).body),
    );
    expect(after).toEqual(before);
  });
});

function historyOfSome(random: SeededRandom): LoggedEvent[] {
  const entity = random.pick(all).entity_id;
  return all.filter((event) => event.entity_id === entity);
}

function countEntities(events: readonly LoggedEvent[]): number {
  return new Set(events.map((event) => event.entity_id)).size;
}

async function totalWhenOver(store: RunningStore, total: number): Promise<number> {
  for (;;) {
    const { body } = await store.ask(`${store.coreUrl}/api/v1/stats`);
    if (body.total_events >= total) return body.total_events as number;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
