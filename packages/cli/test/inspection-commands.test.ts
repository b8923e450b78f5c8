/** What `verify` and `doctor` make of a running node that is not well; tests/e2e runs them on real ones and on real folders. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { InspectionRecord } from '@allsource/shared/protocol';
import { runCommand } from './command.ts';
import { StandInStore } from './stand-in-store.ts';

let store: StandInStore;
let url: string;
let folder: string;

beforeEach(async () => {
  store = new StandInStore();
  url = await store.start();
  folder = mkdtempSync(join(tmpdir(), 'allsource-cli-'));
});
afterEach(async () => {
  await store.stop();
  rmSync(folder, { recursive: true, force: true });
});

const doctor = (...flags: string[]) =>
  runCommand(['doctor', '--url', url, ...flags], { url, folder });
const verify = (...flags: string[]) =>
  runCommand(['verify', '--url', url, ...flags], { url, folder });

interface NodeFacts {
  readonly status?: string;
  readonly position?: number;
  readonly lag?: number;
  readonly version?: string;
  readonly fault?: string;
}

function node(id: string, type: string, facts: NodeFacts = {}): Record<string, unknown> {
  const { status = 'healthy', position = 1000, lag = 0, version = '1.0.0', fault = null } = facts;
  return { id, type, status, url, stats: { position, lag_events: lag, version, fault } };
}

function cluster(core: NodeFacts = {}, query: NodeFacts = {}): Record<string, unknown> {
  const nodes = [node('core', 'event-store', core), node('query', 'query-service', query)];
  return { healthy: true, nodes, uptime_seconds: 1 };
}

function projection(name: string, status: string, facts: object = {}): object {
  return { name, status, is_stalled: false, parked_entities: 0, detail: null, ...facts };
}

describe('allsource doctor --url', () => {
  it('has nothing to say about a healthy store', async () => {
    store.cluster = cluster();
    const command = await doctor();
    expect(command.stdout).toContain('nothing to do');
    expect(command.code).toBe(0);
  });

  it.each([
    [
      'a poisoned writer',
      'writer: the writer has stopped after a disk error (EIO)',
      /restart core/,
    ],
    ['a full disk', 'space: the disk is full (ENOSPC); free some space', /Free some space/],
    ['a damaged read store', 'history files: block 7 is damaged', /rebuilt from the log/],
  ])('names %s, with the reason and what to do', async (_, fault, advice) => {
    store.cluster = cluster({ status: 'unhealthy', fault });
    const command = await doctor();
    expect(command.code).toBe(1);
    expect(command.stdout).toContain(fault);
    expect(command.stdout).toMatch(advice);
  });

  it('names a service that is not reachable, and a gateway that is not ready', async () => {
    store.cluster = cluster({ status: 'unreachable', fault: 'Core does not answer.' });
    expect(await doctor()).toMatchObject({ code: 1 });
    store.notReady = { history: 'it is 12000 events behind' };
    const command = await doctor('--json');
    expect(command.code).toBe(1);
    const [{ checks }] = command.records() as [{ checks: Record<string, unknown>[] }];
    expect(checks).toContainEqual({
      check: 'ready',
      status: 'fault',
      evidence: 'The gateway is not ready. history: it is 12000 events behind.',
      advice: expect.stringContaining('catching up'),
    });
  });

  it('names versions that differ, a read side that stands still, and NATS that is away', async () => {
    store.cluster = cluster({}, { version: '0.9.0', lag: 500, position: 500 });
    store.metrics = 'allsource_nats_connected 0\n';
    const command = await doctor('--output', 'ndjson');
    const wrong = command.records().filter((record) => record['status'] !== 'ok');
    expect(wrong.map((record) => record['check'])).toEqual(['versions', 'lag', 'nats']);
    expect(wrong[0]?.['evidence']).toContain('core 1.0.0, query 0.9.0');
    expect(wrong[1]?.['advice']).toContain('It stands still');
    expect(command.code).toBe(1);
  });

  it('names projections and pipelines that wait for somebody, and what to do about each', async () => {
    store.cluster = cluster();
    const projections = [
      projection('well', 'running'),
      projection('carts', 'failed', { detail: 'build 1 at position 41: no number' }),
      projection('late', 'running', { is_stalled: true, lag_events: 7, detail: 'Core is away' }),
      projection('sums', 'running', { parked_entities: 2 }),
    ];
    const stats = [
      { pipeline_id: 'p-1', status: 'running', detail: null, dead_letters: 0 },
      { pipeline_id: 'p-2', status: 'failed', detail: 'the table is full', dead_letters: 3 },
    ];
    store.routes = (line) => {
      if (line === 'GET /api/v1/projections') return { status: 200, body: { projections } };
      return line === 'GET /api/v1/pipelines/stats' ? { status: 200, body: { stats } } : null;
    };
    const command = await doctor('--output', 'ndjson');
    const wrong = command.records().filter((record) => record['status'] !== 'ok');
    const told = wrong.map((record) =>
      ['check', 'status', 'evidence'].map((member) => record[member]).join(' '),
    );
    expect(told).toEqual([
      "projections fault 'carts' has failed: build 1 at position 41: no number",
      "projections fault 'late' is 7 events behind and makes no progress: Core is away",
      expect.stringContaining("projections warning 'sums' has parked 2 entities"),
      'pipelines fault p-2 is failed: the table is full',
      expect.stringContaining('pipelines warning p-2 has 3 dead letters'),
    ]);
    expect(wrong[2]?.['advice']).toContain('allsource projections retry sums');
    expect(command.code).toBe(1);
  });

  it('says what it could not look at for want of a key, and ends with 6 when nobody answers', async () => {
    const environment = { ALLSOURCE_API_KEY: 'wrong' };
    const command = await runCommand(['doctor', '--url', url], { url, folder, environment });
    expect(command.code).toBe(1);
    expect(command.stdout).toContain('Give an admin key');
    await store.stop();
    expect(await doctor()).toMatchObject({ code: 6 });
    await store.start();
  });
});

const START: InspectionRecord = {
  record: 'start',
  log_id: 'a11500ce',
  segments: 1,
  bytes: 1000,
  up_to: 9,
  owner: { owner: 'core', pid: 7 },
};
const DAMAGE: InspectionRecord = {
  record: 'finding',
  severity: 'damage',
  kind: 'damaged_bytes',
  segment: '00000000000000000001.seg',
  offset: 4096,
  end_offset: 4400,
  first_position: 4,
  last_position: 6,
  reason: 'checksum 0x1 where the frame says 0x2',
};
const summary = (damages: number): InspectionRecord => ({
  record: 'summary',
  log_id: 'a11500ce',
  segments: 1,
  bytes: 1000,
  frames: 3,
  events: 9,
  entities: 2,
  head: 9,
  recorded_at: '2026-01-01T00:00:00.000Z',
  damages,
  notices: 0,
  intact:
    damages === 0
      ? [[1, 9]]
      : [
          [1, 3],
          [7, 9],
        ],
  intact_range_count: damages + 1,
  intact_events: damages === 0 ? 9 : 6,
  duration_ms: 5,
});

function answersWith(...records: readonly InspectionRecord[]): void {
  store.verification = records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

describe('allsource verify --url', () => {
  it('ends with 0 when the log is intact', async () => {
    answersWith(START, summary(0));
    const command = await verify();
    expect(command.code).toBe(0);
    expect(command.stdout).toContain('intact, nothing to report');
    expect(command.stdout).toContain('core (process 7) has this log open');
  });

  it('ends with 7 on damage and names segment, bytes, positions and what is intact', async () => {
    answersWith(START, DAMAGE, summary(1));
    const command = await verify();
    expect(command.code).toBe(7);
    expect(command.stdout).toContain('DAMAGED in 1 place');
    expect(command.stdout).toMatch(/00000000000000000001\.seg +4096-4400 +4-6 +checksum/);
    expect(command.stdout).toContain('6 of 9 positions: 1-3, 7-9');
    const json = await verify('--json');
    expect(json.code).toBe(7);
    expect(json.records()).toMatchObject([
      { damages: 1, findings: [{ segment: DAMAGE.segment, offset: 4096 }], findings_left_out: 0 },
    ]);
    const lines = await verify('--output', 'ndjson');
    expect(lines.records().map((record) => record['record'])).toEqual([
      'start',
      'finding',
      'summary',
    ]);
  });

  it('never takes an answer that was cut off for a clean one', async () => {
    answersWith(START);
    const command = await verify();
    expect(command.code).toBe(6);
    expect(command.stderr).toContain('cut off');
    answersWith({ record: 'failure', code: 'not_permitted', message: 'This user may not.' });
    expect(await verify()).toMatchObject({ code: 1 });
  });

  it('ends with 2 when told a folder and an address, and with 3 where there is no log', async () => {
    expect(await verify(folder)).toMatchObject({ code: 2 });
    expect(await runCommand(['verify', folder], { url, folder })).toMatchObject({ code: 3 });
  });
});
