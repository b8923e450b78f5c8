/**
 * The streamed lanes beside the batch route, with the same events: lines (NDJSON) and Arrow record batches. wrk sends each body as a request of its own, so
 * a stream is as long as one body. What is compared is the server's work; who draws the columns is not measured.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dictionary, Int32, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { type BenchEvent, benchEvent, eventJson } from '../event.ts';
import type { Bench, Measurement, Outcome } from '../measurement.ts';
import { RunningCore } from '../subjects/core.ts';
import { findWrk, runWrkRequest } from '../wrk.ts';

const CLIENTS = 8;
const EVENTS = 1000;
const STREAM_EVENTS = 10_000;

interface Lane {
  readonly title: string;
  readonly path: string;
  readonly contentType: string;
  readonly events: number;
  readonly body: (events: readonly BenchEvent[]) => Buffer;
}

const BATCH = '/api/v1/events/batch';
const ARROW = '/internal/v1/events/arrow?tenant_id=default';
const ndjson = { path: BATCH, contentType: 'application/x-ndjson', body: linesOf } as const;
const arrow = { path: ARROW, contentType: 'application/vnd.apache.arrow.stream' } as const;

const LANES: readonly Lane[] = [
  {
    title: 'a batch of 1000',
    path: BATCH,
    contentType: 'application/json',
    events: EVENTS,
    body: (events) => Buffer.from(`{"events":[${events.map((event) => eventJson(event)).join()}]}`),
  },
  { ...ndjson, title: '1000 lines', events: EVENTS },
  { ...ndjson, title: '10,000 lines in groups of 1000', events: STREAM_EVENTS },
  { ...arrow, title: 'a record batch of 1000', events: EVENTS, body: recordBatch },
  { ...arrow, title: 'a record batch of 10,000', events: STREAM_EVENTS, body: recordBatch },
];

/** lanes: how fast core takes the same events in each form. */
export async function runLanes(bench: Bench): Promise<Measurement[]> {
  const measurements = LANES.map(({ title }) => measurementOf(title));
  bench.announce(`lanes, ${CLIENTS} clients`);
  const core = await RunningCore.start(bench.freshFolder('lanes'));
  try {
    for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1)
      for (const [index, lane] of LANES.entries()) {
        const measurement = measurements[index];
        if (measurement !== undefined)
          await bench.add(measurement, () => measureLane(bench, core, lane));
      }
  } finally {
    await core.stop();
  }
  return measurements;
}

// oxlint-disable-next-line eslint/max-params -- who, with whom and what.
async function measureLane(bench: Bench, core: RunningCore, lane: Lane): Promise<Outcome> {
  const wrk = findWrk();
  if (wrk === null) throw new Error('No wrk on the PATH.');
  const events = Array.from({ length: lane.events }, (_, entity) =>
    benchEvent({ entity: `lane-${entity}`, bytes: bench.options.eventBytes }),
  );
  const request = {
    url: core.url,
    path: lane.path,
    headers: {
      'content-type': lane.contentType,
      authorization: `Bearer ${core.target.apiKey}`,
      'x-allsource-internal-token': readFileSync(join(core.folder, 'internal-token'), 'utf8'),
    },
    body: lane.body(events),
  };
  await requireStored(request, lane.events);
  const { requestsPerSecond, p50Ms, p99Ms } = await runWrkRequest(wrk, {
    ...request,
    clients: CLIENTS,
    durationMs: bench.options.durationMs,
    scriptFolder: bench.folder,
  });
  return { value: requestsPerSecond * lane.events, latency: { p50Ms, p99Ms } };
}

/** A stream answers 200 before it knows how it ends, so its last line is looked at once. */
async function requireStored(
  request: {
    readonly url: string;
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly body: Buffer;
  },
  events: number,
): Promise<void> {
  const { url, path, headers, body } = request;
  const response = await fetch(url + path, { method: 'POST', headers, body });
  const text = await response.text();
  const answer = JSON.parse(text.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
  if ((answer['events'] ?? answer['total']) === events || answer['total'] === events) return;
  throw new Error(`The lane did not store ${events} events: ${text.slice(-300)}`);
}

function linesOf(events: readonly BenchEvent[]): Buffer {
  return Buffer.from(events.map((event) => `${eventJson(event)}\n`).join(''));
}

function recordBatch(events: readonly BenchEvent[]): Buffer {
  const texts = (pick: (event: BenchEvent) => string) =>
    vectorFromArray(events.map(pick), new Utf8());
  const table = new Table({
    event_type: vectorFromArray(
      events.map(({ type }) => type),
      new Dictionary(new Utf8(), new Int32()),
    ),
    entity_id: texts(({ entity }) => entity),
    payload: texts(({ payload }) => payload),
    metadata: texts(({ metadata }) => metadata),
  });
  return Buffer.from(tableToIPC(table, 'stream'));
}

function measurementOf(title: string): Measurement {
  return {
    caseName: 'lanes',
    title: `${title}, ${CLIENTS} clients`,
    subject: 'AllSource core',
    client: 'wrk (C)',
    ack: 'after fdatasync',
    isDurable: true,
    unit: 'events/s',
    samples: [],
    fault: null,
  };
}
