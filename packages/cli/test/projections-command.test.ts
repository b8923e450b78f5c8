import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runHere } from './command-here.ts';
import { StandInStore } from './stand-in-store.ts';

const ROW = {
  name: 'a b',
  type: 'event_counter',
  status: 'running',
  wanted_status: 'running',
  is_stalled: true,
  detail: 'core does not answer',
  version: 2,
  position: 1234,
  lag_events: 66,
  lag_seconds: 90,
  parked_entities: 1,
  error_count: 3,
  live_build: 1,
  builds: [
    { build: 2, status: 'building', position: 7, rows: 1, compared: null, note: null },
    { build: 1, status: 'live', position: 1234, rows: 10, compared: null, note: null },
  ],
};

describe('allsource projections', () => {
  let store: StandInStore;
  let url: string;
  let folder: string;
  let asked: string[];

  beforeEach(async () => {
    store = new StandInStore();
    url = await store.start();
    folder = mkdtempSync(join(tmpdir(), 'allsource-cli-'));
    asked = [];
  });
  afterEach(async () => {
    await store.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Answers each route with what is given; routes that are not given are not there. */
  function serve(routes: Readonly<Record<string, object>>): void {
    store.routes = (line, body) => {
      asked.push(body === '' ? line : `${line} ${body}`);
      const found = routes[line];
      return found === undefined ? null : { status: 200, body: found };
    };
  }

  const run = (...args: string[]) => runHere(['projections', ...args], { url, folder });

  it('lists them with their lag and what is stalled, as a table or as it came', async () => {
    serve({ 'GET /api/v1/projections': { projections: [ROW], total: 1 } });
    const table = await run('list', '--output', 'table');
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/NAME +TYPE +STATUS +BUILD +POSITION +LAG +PARKED +ERRORS/);
    expect(table.stdout).toMatch(
      /a b +event_counter +running, STALLED +2 +1,234 +66 \(90 s\) +1 +3 +core does not answer/,
    );
    expect(JSON.parse((await run('list')).stdout)).toEqual({ projections: [ROW], total: 1 });
  });

  it('shows, commands, and deletes one only when that is said twice', async () => {
    const path = '/api/v1/projections/a%20b';
    serve({
      [`GET ${path}`]: ROW,
      [`POST ${path}/pause`]: { projection: 'a b', status: 'paused' },
      [`POST ${path}/rollback`]: { projection: 'a b', data: ROW },
      [`POST ${path}/parked/retry`]: { entities_freed: 1, events_folded: 2, entities_parked: 0 },
      [`DELETE ${path}`]: { deleted: 'a b' },
    });
    const shown = await run('show', 'a b', '--output', 'table');
    expect(shown.stdout).toMatch(/why +core does not answer/);
    expect(shown.stdout).toMatch(/2 +building +7 +1/);
    expect((await run('pause', 'a b', '--output', 'table')).stdout).toBe('a b: paused\n');
    expect((await run('rollback', 'a b', '--build', '1')).code).toBe(0);
    const retried = await run('retry', 'a b', 'e 1', '--output', 'table');
    expect(retried.stdout).toBe('1 entities go on (2 events folded), 0 still wait\n');
    expect((await run('delete', 'a b')).code).toBe(2);
    expect((await run('delete', 'a b', '--yes')).code).toBe(0);
    expect((await run('start', 'nobody')).code).toBe(3);
    expect(asked.filter((line) => !line.startsWith('GET'))).toEqual([
      `POST ${path}/pause`,
      `POST ${path}/rollback {"build":1}`,
      `POST ${path}/parked/retry {"entity_id":"e 1"}`,
      `DELETE ${path}`,
      'POST /api/v1/projections/nobody/start',
    ]);
  });

  it('creates from a file and from a template, and says what is wrong with either', async () => {
    serve({ 'POST /api/v1/projections': { projection: ROW, data: ROW } });
    const file = join(folder, 'p.json');
    writeFileSync(file, '{"name":"a b","type":"event_counter"}');
    expect((await run('create', '-f', 'p.json', '--start')).code).toBe(0);
    expect((await run('create', '--template', 'event-count')).code).toBe(0);
    expect(asked).toEqual([
      'POST /api/v1/projections {"name":"a b","type":"event_counter","start":true}',
      'POST /api/v1/projections {"template":"event-count"}',
    ]);
    expect((await run('create')).code).toBe(2);
    writeFileSync(file, '[1]');
    const wrong = await run('create', '-f', 'p.json');
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      "The definition in 'p.json' is no JSON object.\n",
    ]);
    expect((await run('create', '-f', 'none.json')).code).toBe(2);
  });

  it('prints the state of a key, or a page of states', async () => {
    const path = '/api/v1/projections/p';
    serve({
      [`GET ${path}/k%2F1/state`]: { state: { n: 1 }, found: true },
      [`GET ${path}/none/state`]: { state: null, found: false },
      [`GET ${path}/state?entity_id_prefix=k&limit=1`]: {
        states: [{ entity_id: 'k/1', state: { n: 1 } }],
        total: 2,
        has_more: true,
      },
    });
    expect((await run('state', 'p', 'k/1', '--output', 'table')).stdout).toBe('{"n":1}\n');
    expect((await run('state', 'p', 'none')).code).toBe(3);
    const page = await run('state', 'p', '--prefix', 'k', '--limit', '1', '--output', 'table');
    expect(page.stdout).toBe('KEY  STATE\nk/1  {"n":1}\n1 of 2\n');
  });

  it('waits for a build until it is read, and ends with 1 when it fails', async () => {
    const path = '/api/v1/projections/p';
    let looks = 0;
    let end: object = { live_build: 2, status: 'running' };
    store.routes = (line) => {
      if (line === `POST ${path}/rebuild`)
        return { status: 202, body: { status: 'rebuilding', build: 2 } };
      looks += 1;
      return { status: 200, body: { ...ROW, ...(looks < 2 ? {} : end) } };
    };
    expect((await run('rebuild', 'p', '--wait')).code).toBe(0);
    expect(looks).toBe(2);
    end = { builds: [{ build: 2, status: 'failed', note: 'poisoned' }] };
    const failed = await run('rebuild', 'p', '--wait');
    expect([failed.code, failed.stderr]).toEqual([1, 'Build 2 failed: poisoned\n']);
  });

  it('are part of the status of the store', async () => {
    serve({ 'GET /api/v1/projections': { projections: [{ name: 'event_counters' }, ROW] } });
    store.cluster = { healthy: true, version: '1', nodes: [], uptime_seconds: 1 };
    const status = await runHere(['status'], { url, folder });
    expect(status.stdout).toMatch(/a b .*STALLED/);
    expect(status.stdout).not.toContain('event_counters');
  });
});
