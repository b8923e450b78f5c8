/**
 * Durable appends over HTTP: the built core (npm run build) in a fresh folder, loaded by wrk on the same machine, with authentication, validation,
 * versions and checksums, every answer after its sync. Run with and without the ingest kernel, in turn.
 *
 *     node bench/ingest-http.ts [--quick]
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseFreePort } from '@allsource/service-kit/http';
import { batchBody } from './support/batch-bodies.ts';
import { machineLoad, median } from './support/figures.ts';

const KEY = 'bench-key-0123456789abcdef0123456789abcdef';
const CORE = resolve(import.meta.dirname, '../services/core');
/** A bundle without the kernel beside it; inside the service's folder, where its packages are found. */
const PLAIN_DIST = join(CORE, 'node_modules/.cache/bench-without-kernel');
const isQuick = process.argv.includes('--quick');
const SECONDS = isQuick ? 4 : 8;
const REPETITIONS = isQuick ? 1 : 3;

const LOADS = [
  { name: '1000 a batch, 8 connections', events: 1000, connections: 8 },
  { name: '100 a batch, 16 connections', events: 100, connections: 16 },
  { name: 'single, 64 connections', events: 1, connections: 64 },
] as const;

const CORES = [
  { name: 'with the kernel', main: join(CORE, 'dist/main.js') },
  { name: 'without', main: join(PLAIN_DIST, 'main.js') },
] as const;

interface Result {
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function startCore(
  main: string,
  folder: string,
): Promise<{ port: number; core: ChildProcess }> {
  const port = await chooseFreePort();
  const core = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      CORE_PORT: String(port),
      ALLSOURCE_DATA_DIR: folder,
      ALLSOURCE_BOOTSTRAP_API_KEY: KEY,
      ALLSOURCE_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.ok === true) return { port, core };
    await sleep(100);
  }
  throw new TypeError(`${main} did not get ready`);
}

function wrkScript(folder: string, events: number): string {
  const batch = batchBody(events).toString();
  const body = events === 1 ? batch.slice('{"events":['.length, -2) : batch;
  const path = events === 1 ? '/api/v1/events' : '/api/v1/events/batch';
  const script = join(folder, 'load.lua');
  writeFileSync(
    script,
    `wrk.method = "POST"\nwrk.path = "${path}"\nwrk.headers["Content-Type"] = "application/json"\n` +
      `wrk.headers["Authorization"] = "Bearer ${KEY}"\nwrk.body = [==[${body}]==]\n` +
      `function done(summary, latency)\n  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout\n` +
      `  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad))\nend\n`,
  );
  return script;
}

async function run(main: string, { events, connections }: (typeof LOADS)[number]): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-bench-'));
  const { port, core } = await startCore(main, join(folder, 'data'));
  try {
    const url = `http://127.0.0.1:${port}`;
    const script = wrkScript(folder, events);
    const load = (seconds: number) =>
      spawnSync(
        'wrk',
        ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url],
        {
          encoding: 'utf8',
        },
      );
    load(2);
    return parseResult(load(SECONDS).stdout, events);
  } finally {
    const gone = new Promise((done) => core.once('exit', done));
    core.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true });
  }
}

function parseResult(output: string, events: number): Result {
  const match = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(output);
  if (match === null) throw new TypeError(`wrk says: ${output}`);
  const [requests = 0, micros = 0, p50 = 0, p99 = 0, bad = 0] = match.slice(1).map(Number);
  if (bad > 0) console.log(`  ${bad} requests failed`);
  return {
    eventsPerSecond: ((requests - bad) * events * 1e6) / micros,
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
  };
}

function summarize(results: readonly Result[]): string {
  const of = (pick: (result: Result) => number) => median(results.map(pick));
  const rates = results.map(({ eventsPerSecond }) => Math.round(eventsPerSecond));
  return [
    Math.round(of(({ eventsPerSecond }) => eventsPerSecond)).toLocaleString('en'),
    `${Math.min(...rates).toLocaleString('en')}-${Math.max(...rates).toLocaleString('en')}`,
    of(({ p50Ms }) => p50Ms).toFixed(1),
    of(({ p99Ms }) => p99Ms).toFixed(1),
  ].join(' | ');
}

if (spawnSync('wrk', ['-v']).error !== undefined) {
  console.log('wrk is not installed (apt-get install wrk): nothing measured');
} else if (!existsSync(join(CORE, 'dist/main.js'))) {
  console.log('core is not built: run npm run build first');
} else {
  mkdirSync(PLAIN_DIST, { recursive: true });
  copyFileSync(join(CORE, 'dist/main.js'), join(PLAIN_DIST, 'main.js'));
  console.log(`Durable appends over HTTP, ${SECONDS} s each; ${machineLoad()}`);
  console.log('| load | core | events/s | range | p50 ms | p99 ms |\n|---|---|---|---|---|---|');
  for (const load of LOADS) {
    const results = CORES.map((core) => ({ ...core, runs: [] as Result[] }));
    for (let i = 0; i < REPETITIONS; i++)
      for (const { main, runs } of results) runs.push(await run(main, load));
    for (const { name, runs } of results)
      console.log(`| ${load.name} | ${name} | ${summarize(runs)} |`);
  }
  rmSync(PLAIN_DIST, { recursive: true });
  console.log(machineLoad());
}
