/**
 * The streamed lanes beside the batch route, with the same events: lines (NDJSON) and Arrow record batches. wrk sends each body as a request of its own, so
 * a stream is as long as one body. What is compared is the server's work; who draws the columns is not measured.
 */
import { Dictionary, Int32, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { type BenchEvent, benchEvent, eventJson } from '../event.ts';
import {
  type Bench,
  type Measurement,
  measurementOf,
  type Outcome,
  type Span,
} from '../measurement.ts';
import { INTERNAL_TOKEN, RunningCore } from '../subjects/core.ts';
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

/** lanes: how fast core takes the same events in each form. Nothing where wrk is not here. */
export async function runLanes(bench: Bench): Promise<Measurement[]> {
  const wrk = findWrk();
  if (wrk === null) return [];
  bench.announce(`lanes, ${CLIENTS} clients`);
  const core = await RunningCore.start(bench.freshFolder('lanes'));
  try {
    const lanes = bench.options.isQuick ? LANES.filter(({ events }) => events === EVENTS) : LANES;
    const entries = lanes.map((lane) => ({
      measurement: measurementOf({
        caseName: 'lanes',
        title: `${lane.title}, ${CLIENTS} clients`,
        unit: 'events/s',
        client: 'wrk (C)',
      }),
      // wrk knows no run below a second, and a quick run has none to spare.
      isWarmedUp: !bench.options.isQuick,
      work: ({ durationMs }: Span) => measureLane({ wrk, core, lane }, bench, durationMs),
    }));
    await bench.takeSamples(entries);
    return entries.map(({ measurement }) => measurement);
  } finally {
    await core.stop();
  }
}

interface LaneRun {
  readonly wrk: string;
  readonly core: RunningCore;
  readonly lane: Lane;
}

// oxlint-disable-next-line eslint/max-params -- what, for whom and how long.
async function measureLane(
  { wrk, core, lane }: LaneRun,
  bench: Bench,
  durationMs: number,
): Promise<Outcome> {
  const events = Array.from({ length: lane.events }, (_, entity) =>
    benchEvent({ entity: `lane-${entity}`, bytes: bench.options.eventBytes }),
  );
  const request = {
    url: core.url,
    path: lane.path,
    headers: {
      'content-type': lane.contentType,
      authorization: `Bearer ${core.target.apiKey}`,
      'x-allsource-internal-token': INTERNAL_TOKEN,
    },
    body: lane.body(events),
  };
  await requireStored(request, lane.events);
  const { requestsPerSecond, p50Ms, p99Ms } = await runWrkRequest(wrk, {
    ...request,
    clients: CLIENTS,
    durationMs,
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
