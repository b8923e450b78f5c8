import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
const B = '/work/wt/queries/bench/';
const { RunningCore, API_KEY, INTERNAL_TOKEN } = await import(B + 'subjects/core.ts');
const { ServerProcess, freePort, answersOk, sleep } = await import(B + 'subjects/server-process.ts');
const { LoadProcess } = await import(B + 'load/load-process.ts');
const folder = mkdtempSync(join(tmpdir(), 'readbench-'));
const core = await RunningCore.start(folder);
const load = new LoadProcess();
const stored = Number(process.env.STORED ?? 300000);
const common = { kind: 'fill', target: core.target, eventBytes: 200 };
await load.run({ ...common, clients: 2, events: stored, entities: 10000, entityPrefix: 'stored' });
await load.run({ ...common, clients: 1, events: 6400, entities: 64, entityPrefix: 'read' });
if (process.env.BURY) await load.run({ ...common, clients: 2, events: 150000, entities: 10000, entityPrefix: 'stored' });
const dists = (process.env.DISTS ?? 'dist-before,dist').split(',');
const hz = 100;
const cpu = (pid) => { const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' '); return ((+f[11]) + (+f[12])) / hz; };
const sys = (pid) => { const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' '); return (+f[12]) / hz; };
for (const dist of dists) {
  rmSync(join(folder, 'query'), { recursive: true, force: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await ServerProcess.start({
    command: process.execPath,
    args: [...(process.env.NODE_ARGS ?? '').split(' ').filter(Boolean), `/work/wt/queries/services/query/${dist}/main.js`],
    environment: { ALLSOURCE_DATA_DIR: folder, ALLSOURCE_BOOTSTRAP_API_KEY: API_KEY, ALLSOURCE_INTERNAL_TOKEN: INTERNAL_TOKEN, ALLSOURCE_LOG_LEVEL: 'warn', QUERY_PORT: String(port), CORE_URL: core.url },
    isReady: () => answersOk(`${url}/readyz`),
  });
  await sleep(1500);
  for (const clients of [8, 16]) {
    const job = { kind: 'read', target: { client: 'http', url, apiKey: API_KEY }, clients, entities: 64, eventsPerEntity: Number(process.env.EVENTS ?? 100), eventBytes: 200 };
    await load.run({ ...job, warmupMs: 0, durationMs: 2000 });
    const s0 = sys(server.pid), c0 = cpu(server.pid), k0 = cpu(core.pid), t0 = Date.now();
    const r = await load.run({ ...job, warmupMs: 0, durationMs: Number(process.env.MS ?? 4000) });
    const c1 = cpu(server.pid), k1 = cpu(core.pid), t1 = Date.now();
    console.log(dist, clients, 'clients', Math.round(r.calls / r.seconds), 'reads/s  p50', r.latency.p50Ms?.toFixed(2), 'p99', r.latency.p99Ms?.toFixed(2), ' query cpu us/read', Math.round((c1 - c0) * 1e6 / r.calls), 'of it in the kernel', Math.round((sys(server.pid) - s0) * 1e6 / r.calls), 'core us/read', Math.round((k1 - k0) * 1e6 / r.calls), 'load', readFileSync('/proc/loadavg', 'latin1').split(' ')[0]);
  }
  await server.stop();
}
load.close?.(); await core.stop(); rmSync(folder, { recursive: true, force: true });
process.exit(0);
