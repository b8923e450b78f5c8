/**
 * A store that is larger than any memory for it: what a read of it costs when nothing of it was read before, and how long its services take to start.
 *
 *     node bench/large.ts [--millions 100] [--reads 500] [--folder PATH]
 *
 * A million events after the other come in through HTTP, each of 10,000 entities that come in no other, and of 100 that come in all, while the query service follows. Core and the query service
 * run as processes from their bundles (`npm run build` first). A hundred millions take 25 GB and, for the projections are slower than the history, about half an hour;
 * the folder is removed afterwards.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LoadProcess } from './load/load-process.ts';
import { summarize } from './statistics.ts';
import { API_KEY, RunningCore, type RunningQuery, startQuery } from './subjects/core.ts';
import { answersOk } from './subjects/server-process.ts';
import { machineLoad } from './support/figures.ts';
import { print, random } from './support/order-store.ts';

const { values } = parseArgs({
  options: {
    millions: { type: 'string', default: '100' },
    reads: { type: 'string', default: '500' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const MILLIONS = Number(values.millions);
const READS = Number(values.reads);
const EVENT_BYTES = 200;
const ENTITIES_A_MILLION = 10_000;
const LASTING_ENTITIES = 100;
const POLL_MS = 50;

const anyEntity = () => `m${random(MILLIONS)}-${random(ENTITIES_A_MILLION)}`;
const KINDS: readonly (readonly [title: string, path: () => string])[] = [
  ['the first 100 events of any entity', () => `/events/query?entity_id=${anyEntity()}&limit=100`],
  [
    'the newest event of any entity',
    () => `/events/query?entity_id=${anyEntity()}&order=desc&limit=1`,
  ],
  [
    'the first 100 events of an entity that has some everywhere',
    () => `/events/query?entity_id=lasting-${random(LASTING_ENTITIES)}&limit=100`,
  ],
  ['an entity that is not there', () => `/events/query?entity_id=nobody-${random(2 ** 31)}`],
  ['the newest 20 events', () => '/events/query?order=desc&limit=20'],
  ['the state of any entity', () => `/entities/${anyEntity()}/state`],
];

async function ask({ target }: RunningQuery, path: string): Promise<Response> {
  const response = await fetch(`${target.url}/api/v1${path}`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  });
  const text = await response.text();
  if (!response.ok) throw new TypeError(`${path}: ${text.slice(0, 300)}`);
  return response;
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

function diskMib(folder: string): number {
  return Number(execFileSync('du', ['-sm', folder]).toString().split('\t', 1)[0]);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

async function headOf(core: RunningCore): Promise<number> {
  const response = await fetch(`${core.url}/health`);
  return ((await response.json()) as { head_position: number }).head_position;
}

/** The query service is there before it has a key to read with. */
async function untilReady({ target }: RunningQuery): Promise<void> {
  while (!(await answersOk(`${target.url}/readyz`))) await sleep(POLL_MS);
}

async function fill(core: RunningCore, query: RunningQuery): Promise<void> {
  const load = new LoadProcess();
  const common = { kind: 'fill', target: core.target, eventBytes: EVENT_BYTES } as const;
  const startedAt = performance.now();
  try {
    for (let million = 0; million < MILLIONS; million++) {
      const entities = { entities: ENTITIES_A_MILLION, entityPrefix: `m${million}` };
      await load.run({ ...common, ...entities, clients: 4, events: 1_000_000 });
      const lasting = { entities: LASTING_ENTITIES, entityPrefix: 'lasting' };
      await load.run({ ...common, ...lasting, clients: 1, events: LASTING_ENTITIES });
    }
  } finally {
    load.close();
  }
  const head = await headOf(core);
  print(`filled with ${head} events in ${seconds(startedAt)} s`);
  await untilAnswered(query, '/stats');
  print(`the history has all of them after ${seconds(startedAt)} s`);
}

/** A linearizable read waits for its store, and is refused when that takes too long. */
async function untilAnswered(query: RunningQuery, path: string): Promise<void> {
  while ((await ask(query, path).catch(() => null)) === null) await sleep(POLL_MS);
}

async function read(query: RunningQuery): Promise<void> {
  for (const [title, path] of KINDS) {
    const latenciesMs: number[] = [];
    for (let i = 0; i < READS; i++) {
      const startedAt = performance.now();
      await ask(query, path());
      latenciesMs.push(performance.now() - startedAt);
    }
    const { p50Ms, p99Ms, maxMs } = summarize(latenciesMs);
    const figures = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(2));
    print(`${title}: p50 ${figures[0]}, p99 ${figures[1]}, longest ${figures[2]} ms`);
  }
}

const folder = mkdtempSync(join(values.folder, 'allsource-bench-large-'));
print(machineLoad());
try {
  const core = await RunningCore.start(folder);
  try {
    let query = await startQuery(core);
    try {
      await untilReady(query);
      await fill(core, query);
      print(`memory: core ${residentMib(core.pid)}, query service ${residentMib(query.pid)} MiB`);
      await read(query);
      print(`memory after the reads: query service ${residentMib(query.pid)} MiB`);
      print(
        `disk: core ${diskMib(core.storedFolder)}, query service ${diskMib(join(folder, 'query'))} MiB`,
      );
      let startedAt = performance.now();
      await untilAnswered(query, '/projections/event_counters/state');
      print(`the projections have all events after another ${seconds(startedAt)} s`);
      await query.stop();
      startedAt = performance.now();
      query = await startQuery(core);
      await untilReady(query);
      print(`the query service is ready ${seconds(startedAt)} s after its start`);
      await core.kill();
      startedAt = performance.now();
      await core.launch();
      print(`core is ready ${seconds(startedAt)} s after kill -9`);
    } finally {
      await query.stop();
    }
  } finally {
    await core.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
print(machineLoad());
