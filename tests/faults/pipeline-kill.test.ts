/**
 * Pipelines under kills: their process is killed with SIGKILL at random moments while events come in, now and then the whole query service with it, and now and then the files of
 * the pipelines are deleted too. In the end, what they have written into the log, their tables and what their webhook got equal what plain loops over the log come to: each output
 * once, none lost; of deliveries each at least once, under one id.
 *
 * The model reads the log of core itself and computes everything again from the first event, with none of the code of the pipelines.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Json, SeededRandom } from '@allsource/testkit';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { QueryProcess } from '../support/query-process.ts';

const KILLS = isLong ? 200 : 4;
const COMMITS_A_KILL = 6;
const STRIKES = [
  'the service',
  'the service, and the files',
  'the service, and files damaged',
] as const;
const GROUPS = ['red', 'green', 'blue'];
const MARK = '_pipeline';
const LATENESS_S = 3;
const WINDOW_S = 10;
const TIME_ORIGIN_MS = Date.UTC(2026, 0, 1);

const core = new CoreProcess();
let query: QueryProcess | null = null;
let receiver: Receiver | null = null;

afterEach(async () => {
  await query?.remove();
  await core.remove();
  await receiver?.close();
});

/** Takes deliveries. A quarter of them it refuses, and of the others it says now and then that it has not taken what it has. */
class Receiver {
  readonly bodies = new Map<string, string>();
  /** Ids under which another body came than before. */
  readonly changed: string[] = [];
  deliveries = 0;
  readonly #random: SeededRandom;
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.deliveries += 1;
      const isTaken = this.#random.below(4) > 0;
      const id = String(request.headers['webhook-id']);
      const body = Buffer.concat(chunks).toString('utf8');
      if ((this.bodies.get(id) ?? body) !== body) this.changed.push(id);
      if (isTaken) this.bodies.set(id, body);
      response.writeHead(isTaken && this.#random.below(6) > 0 ? 200 : 500).end();
    });
  });

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

interface LoggedEvent {
  readonly type: string;
  readonly entity: string;
  readonly position: number;
  readonly timestampMs: number;
  readonly payload: Json;
  readonly metadata: Json;
}

async function log(): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for await (const frame of core.frames(1)) {
    if (frame.isSystem) continue;
    for (const event of frame.events()) {
      events.push({
        type: event.type,
        entity: event.entity,
        position: event.position,
        timestampMs: event.timestamp / 1_000,
        payload: JSON.parse(event.payload.toString('utf8')),
        metadata: event.metadata === null ? null : JSON.parse(event.metadata.toString('utf8')),
      });
    }
  }
  return events;
}

async function append(random: SeededRandom, clock: { seconds: number }): Promise<void> {
  const events = Array.from({ length: 1 + random.below(8) }, () => {
    clock.seconds += random.next() * 2;
    const atMs = TIME_ORIGIN_MS + Math.round((clock.seconds - random.next() * 6) * 1_000);
    return {
      event_type: random.below(5) === 0 ? 'noise' : 'in',
      entity_id: `e-${random.below(20)}`,
      timestamp: new Date(atMs).toISOString(),
      payload: { n: random.below(100), group: random.pick(GROUPS), bad: random.below(9) === 0 },
    };
  });
  const body = JSON.stringify({ events });
  const { status, text } = await core.ask({ method: 'POST', path: '/api/v1/events/batch', body });
  expect({ status, text }).toMatchObject({ status: 200 });
}

async function ask(path: string, body?: object): Promise<Record<string, unknown>> {
  for (;;) {
    const url = query?.url ?? null;
    try {
      const response = await fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...core.credentials, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.status === 200) return JSON.parse(text) as Record<string, unknown>;
      if (response.status !== 503) throw new TypeError(`${path}: ${response.status} ${text}`);
    } catch (error) {
      if (url !== null && error instanceof TypeError && !/fetch failed/.test(error.message))
        throw error;
    }
    await pause(50);
  }
}

const isIt = (child: number) =>
  readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('pipelines.program');

/** The process of the pipelines, among the children of the query service. */
function pipelinePid(): number | null {
  const pid = query?.pid ?? 0;
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return null;
  const children = readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return children.find(isIt) ?? null;
}

/** Waits until the process is there, but now and then only for a moment, to strike while it starts. */
async function begun(random: SeededRandom): Promise<number | null> {
  if (random.below(5) === 0) await pause(random.below(300));
  else while (pipelinePid() === null) await pause(5);
  await pause(random.below(200));
  return pipelinePid();
}

/** Every other time the process alone, else the service with what may happen to files while it is away. */
async function strike(random: SeededRandom, running: QueryProcess, kill: number): Promise<string> {
  const pid = await begun(random);
  if (kill % 2 === 1) return await strikeService(running, random, STRIKES[(kill >> 1) % 3]);
  if (pid === null) return 'nothing yet';
  process.kill(pid, 'SIGKILL');
  return 'its process';
}

async function strikeService(
  running: QueryProcess,
  random: SeededRandom,
  what: (typeof STRIKES)[number] = 'the service, and the files',
): Promise<string> {
  await running.kill();
  const folder = join(running.folder, 'query', 'pipelines');
  if (what === 'the service, and the files') rmSync(folder, { recursive: true, force: true });
  if (what === 'the service, and files damaged' && existsSync(folder)) damageFiles(folder, random);
  running.spawn();
  return what;
}

/** Writes over what lies in some of the files. */
function damageFiles(folder: string, random: SeededRandom): void {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.sqlite'))) {
    if (random.below(2) === 0) continue;
    const file = openSync(join(folder, name), 'r+');
    writeSync(file, Buffer.alloc(3_000, random.below(256)), 0, 3_000, random.below(2) * 4_096);
    closeSync(file);
  }
}

/** Runs of the pipelines, each with what it writes or keeps. */
const PIPELINES = (webhook: string) => [
  {
    id: '00000000-0000-4000-8000-000000000001',
    name: 'mapped',
    source_event_types: ['in'],
    operators: [
      { type: 'filter', field: 'bad', op: 'eq', value: false },
      { type: 'map', field: 'n', transform: 'multiply:2' },
    ],
    output: { kind: 'emit', event_type: 'out.mapped', entity_id: 'group' },
    start_from: 'beginning',
  },
  {
    id: '00000000-0000-4000-8000-000000000002',
    name: 'summed',
    source_event_types: ['in'],
    operators: [{ type: 'reduce', field: 'n', function: 'sum', group_by: 'group' }],
    output: 'emit:out.summed',
    start_from: 'beginning',
  },
  {
    id: '00000000-0000-4000-8000-000000000003',
    name: 'windows',
    source_event_types: ['in'],
    operators: [
      {
        type: 'window',
        config: {
          window_type: 'tumbling',
          size_seconds: WINDOW_S,
          allowed_lateness_seconds: LATENESS_S,
          output_on: 'close',
        },
        aggregation: { type: 'reduce', field: 'n', function: 'max', group_by: 'group' },
      },
    ],
    output: 'emit:out.window',
    start_from: 'beginning',
  },
  {
    id: '00000000-0000-4000-8000-000000000004',
    name: 'counted',
    source_event_types: ['out.mapped'],
    operators: [{ type: 'reduce', field: 'n', function: 'count', group_by: 'group' }],
    output: 'table',
  },
  {
    id: '00000000-0000-4000-8000-000000000005',
    name: 'delivered',
    source_event_types: ['in'],
    operators: [{ type: 'filter', field: 'n', op: 'gt', value: 70 }],
    output: { kind: 'webhook', url: `http://${webhook}/`, attempts: 16, first_delay_ms: 2 },
    start_from: 'beginning',
  },
];

const grouped = (n: number, group: string, name: string) => ({ group, function: name, value: n });

const startOf = (ms: number) => Math.floor(ms / (WINDOW_S * 1_000)) * WINDOW_S * 1_000;

/** What the windows close with, computed by going through all events for each window that there ever was. */
function closedWindows(events: readonly LoggedEvent[]): unknown[] {
  const closed: { readonly at: number; readonly start: number; readonly output: unknown }[] = [];
  const watermarks: number[] = [];
  for (const { timestampMs } of events)
    watermarks.push(Math.max(watermarks.at(-1) ?? Number.NEGATIVE_INFINITY, timestampMs));
  for (const start of new Set(events.map(({ timestampMs }) => startOf(timestampMs)))) {
    const end = start + WINDOW_S * 1_000;
    const at = watermarks.findIndex((watermark) => watermark >= end + LATENESS_S * 1_000);
    if (at === -1) continue;
    for (const group of GROUPS.toSorted()) {
      const held = events.filter(
        ({ timestampMs, payload }, i) =>
          i < at && startOf(timestampMs) === start && payload.group === group,
      );
      if (held.length === 0) continue;
      const value = Math.max(...held.map(({ payload }) => payload.n as number));
      const output = {
        window_type: 'tumbling',
        window_size_seconds: WINDOW_S,
        events_in_window: held.length,
        aggregation: grouped(value, group, 'max'),
        window_start: new Date(start).toISOString(),
        window_end: new Date(end).toISOString(),
      };
      closed.push({ at, start, output });
    }
  }
  return closed
    .toSorted((a, b) => a.at - b.at || a.start - b.start)
    .map(({ output, at }) => ({ position: events[at]?.position, output }));
}

/** What each type of output must be, with the position of its input. */
function modelOf(events: readonly LoggedEvent[]) {
  const inputs = events.filter(({ type }) => type === 'in');
  const sums = new Map<string, number>();
  const summed = inputs.map(({ position, entity, payload }) => {
    const sum = (sums.get(payload.group) ?? 0) + payload.n;
    sums.set(payload.group, sum);
    return { position, entity, output: grouped(sum, payload.group, 'sum') };
  });
  const good = inputs.filter(({ payload }) => payload.bad === false);
  const mapped = good.map(({ position, payload }) => ({
    position,
    entity: payload.group,
    output: { ...payload, n: payload.n * 2 },
  }));
  const counts = GROUPS.map((group) => [
    group,
    good.filter(({ payload }) => payload.group === group).length,
  ]).filter(([, count]) => count !== 0);
  const delivered = inputs.filter(({ payload }) => payload.n > 70);
  return { summed, mapped, windows: closedWindows(inputs), counts, delivered };
}

async function settled(): Promise<void> {
  for (;;) {
    const stats = (await ask('/api/v1/pipelines/stats'))['stats'] as Record<string, unknown>[];
    const head = await core.head();
    const isDone = stats.every(
      ({ position, outputs_pending }) => position === head && outputs_pending === 0,
    );
    if (isDone && (await core.head()) === head) return;
    await pause(50);
  }
}

const byKey = (a: readonly unknown[], b: readonly unknown[]) =>
  String(a[0]) < String(b[0]) ? -1 : 1;

const written = (events: readonly LoggedEvent[], type: string) =>
  events
    .filter((event) => event.type === type)
    .map(({ entity, payload, metadata }) => ({
      position: metadata[MARK].position as number,
      entity,
      output: payload as unknown,
    }));

describe('pipelines that are killed', () => {
  it('write each output once and lose none', async () => {
    const random = new SeededRandom(seed);
    receiver = new Receiver(random);
    const webhook = await receiver.listen();
    await core.start();
    const running = new QueryProcess(core, { ALLSOURCE_PIPELINE_PRIVATE_HOSTS: webhook });
    query = running;
    running.spawn();
    const clock = { seconds: 0 };
    await append(random, clock);
    for (const pipeline of PIPELINES(webhook)) await ask('/api/v1/pipelines', pipeline);
    const strikes: Record<string, number> = {};
    for (let kill = 0; kill < KILLS; kill++) {
      for (let commit = 0; commit < COMMITS_A_KILL; commit++) await append(random, clock);
      const what = await strike(random, running, kill);
      strikes[what] = (strikes[what] ?? 0) + 1;
    }
    // What was written would be written again if the log were not asked first.
    await settled();
    await strikeService(running, random);
    await append(random, clock);
    await settled();

    const events = await log();
    const model = modelOf(events);
    expect(written(events, 'out.mapped')).toEqual(model.mapped);
    expect(written(events, 'out.summed')).toEqual(model.summed);
    expect(
      written(events, 'out.window').map(({ position, output }) => ({ position, output })),
    ).toEqual(model.windows);
    const table = await ask(`/api/v1/pipelines/${PIPELINES(webhook)[3]?.id}/results`);
    const rows = table['results'] as { key: string; value: { value: number } }[];
    expect(rows.map(({ key, value }) => [key, value.value])).toEqual(model.counts.toSorted(byKey));
    expect(receiver.changed).toEqual([]);
    const got = [...receiver.bodies.values()].map((body) => JSON.parse(body).data);
    const inOrder = got.toSorted((a, b) => a.event.position - b.event.position);
    expect(inOrder.map(({ event, output }) => [event.position, output])).toEqual(
      model.delivered.map(({ position, payload }) => [position, payload]),
    );
    expect(
      readdirSync(join(running.folder, 'query', 'pipelines')).filter((name) =>
        name.endsWith('.sqlite'),
      ),
    ).toHaveLength(5);
    const outputs = model.mapped.length + model.summed.length + model.windows.length;
    report('pipelines under kills', {
      events: model.summed.length,
      ...strikes,
      'outputs written once': outputs,
      deliveries: `${receiver.deliveries} of ${got.length}`,
    });
  }, 600_000);
});
