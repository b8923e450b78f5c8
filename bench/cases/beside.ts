/** What one client that asks for much costs the others: single appends at core, and single reads at the gateway, beside questions that never end. */
import {
  type Bench,
  type Measurement,
  measurementOf,
  type Outcome,
  type Span,
} from '../measurement.ts';
import { API_KEY, RunningCore, type RunningQuery, startQuery } from '../subjects/core.ts';
import { answersOk, sleep } from '../subjects/server-process.ts';
import { atRest } from '../support/process-times.ts';

const CALLS_PER_SECOND = 200;
const CLIENTS = 8;
const READ_ENTITIES = 64;
const STORED_EVENTS = 500_000;
const STORED_EVENTS_QUICK = 50_000;
const STORED_ENTITIES = 100_000;
/** Core answers about it itself. */
const LONG_HISTORY_EVENTS = 90_000;
const SAVED_STATES = 100_000;
const STATES_A_SAVE = 5_000;
const DURATION_MS_MIN = 2_000;
const REST_LIMIT_MS = 60_000;
const HEADERS = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' };

type Asked = () => Promise<Response>;

interface Beside {
  readonly title: string;
  readonly ask: Asked | null;
}

/** In turns, appends beside each question to core, and reads beside each question to the gateway. */
export async function runBeside(bench: Bench): Promise<Measurement[]> {
  bench.announce('beside appends and reads beside questions for much');
  const core = await RunningCore.start(bench.freshFolder('beside'));
  try {
    await fill(bench, core);
    const query = await startQuery(core);
    try {
      while (!(await answersOk(`${query.target.url}/readyz`))) await sleep(20);
      await atRest([core.pid, query.pid], REST_LIMIT_MS);
      const entries = [
        ...toCore(core).map((beside) => ({
          measurement: measured('single appends at core', beside),
          isWarmedUp: true,
          work: (span: Span) => callBeside(beside, span, (timed) => append(bench, core, timed)),
        })),
        ...toGateway(query).map((beside) => ({
          measurement: measured('newest event of an entity at the gateway', beside),
          isWarmedUp: true,
          work: (span: Span) => callBeside(beside, span, (timed) => read(bench, query, timed)),
        })),
      ];
      await bench.takeSamples(entries);
      return entries.map(({ measurement }) => measurement);
    } finally {
      await query.stop();
    }
  } finally {
    await core.stop();
  }
}

const NOTHING: Beside = { title: 'nothing', ask: null };

function toCore({ url }: RunningCore): Beside[] {
  let saved = SAVED_STATES;
  return [
    NOTHING,
    {
      title: `the history of an entity with ${LONG_HISTORY_EVENTS.toLocaleString('en')} events`,
      ask: () => get(`${url}/api/v1/events/query?entity_id=long-0&limit=10`),
    },
    {
      title: `a state that is saved and a list of ${SAVED_STATES.toLocaleString('en')}`,
      ask: async () => {
        await saveStates(url, saved++, 1);
        return await get(`${url}/api/v1/projections/bench/state?limit=10`);
      },
    },
  ];
}

function toGateway({ target: { url } }: RunningQuery): Beside[] {
  const path = `${url}/api/v1`;
  return [
    NOTHING,
    {
      title: 'percentiles of a field of all events',
      ask: () => get(`${path}/analytics/percentiles?since=2020-01-01T00:00:00Z&field=total`),
    },
    {
      title: 'a search through all payloads',
      ask: () => get(`${path}/events/query?payload_filter=%7B%22nothing%22%3A1%7D&limit=10`),
    },
    {
      title: 'the log as an Arrow stream',
      ask: () =>
        get(`${path}/events/query?order=position`, {
          accept: 'application/vnd.apache.arrow.stream',
        }),
    },
    {
      title: `a list of ${STORED_ENTITIES.toLocaleString('en')} states`,
      ask: () => get(`${path}/projections/entity_snapshots/state?limit=1000&offset=50000`),
    },
  ];
}

function measured(what: string, { title }: Beside): Measurement {
  return measurementOf({
    caseName: 'beside',
    subject: 'AllSource',
    title: `${what}, ${CALLS_PER_SECOND}/s (open loop), beside ${title}`,
    unit: 'ms',
  });
}

function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { headers: { ...HEADERS, ...headers } });
}

async function fill(bench: Bench, core: RunningCore): Promise<void> {
  const { eventBytes, isQuick } = bench.options;
  const common = { kind: 'fill', target: core.target, clients: 1, eventBytes } as const;
  const stored = isQuick ? STORED_EVENTS_QUICK : STORED_EVENTS;
  const fills = [
    { events: stored, entities: STORED_ENTITIES, entityPrefix: 'stored' },
    { events: LONG_HISTORY_EVENTS, entities: 1, entityPrefix: 'long' },
    { events: READ_ENTITIES, entities: READ_ENTITIES, entityPrefix: 'read' },
  ];
  for (const one of fills) await bench.load.run({ ...common, ...one });
  for (let first = 0; first < SAVED_STATES; first += STATES_A_SAVE)
    await saveStates(core.url, first, STATES_A_SAVE);
}

async function saveStates(url: string, first: number, count: number): Promise<void> {
  const states = Array.from({ length: count }, (_, i) => ({
    entity_id: `order-${((first + i) * 7919) % 1_000_003}`,
    state: { number: first + i },
  }));
  const response = await fetch(`${url}/api/v1/projections/bench/bulk/save`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify({ states }),
  });
  if (!response.ok) throw new Error(`States were not saved: ${await response.text()}`);
  await response.arrayBuffer();
}

/** Makes calls while the question is asked again and again; counts how often it was answered. */
async function callBeside(
  { ask }: Beside,
  span: Span,
  call: (span: Span) => Promise<Outcome>,
): Promise<Outcome> {
  const timed = { ...span, durationMs: Math.max(span.durationMs, DURATION_MS_MIN) };
  if (ask === null) return await call(timed);
  const state = { isOver: false };
  const calling = call(timed).finally(() => {
    state.isOver = true;
  });
  const [outcome, answers] = await Promise.all([calling, askAgain(ask, state)]);
  return { ...outcome, note: `asked ${answers} times` };
}

async function askAgain(ask: Asked, state: { readonly isOver: boolean }): Promise<number> {
  let answers = 0;
  while (!state.isOver) {
    const response = await ask();
    if (!response.ok) throw new Error(`The question was refused: ${await response.text()}`);
    for await (const _ of response.body ?? []) if (state.isOver) break;
    answers += 1;
  }
  return answers;
}

async function append(bench: Bench, core: RunningCore, span: Span): Promise<Outcome> {
  const { latency } = await bench.load.run({
    kind: 'paced-append',
    target: core.target,
    clients: CLIENTS,
    eventBytes: bench.options.eventBytes,
    appendsPerSecond: CALLS_PER_SECOND,
    ...span,
  });
  return { value: latency.p50Ms, latency };
}

async function read(bench: Bench, query: RunningQuery, span: Span): Promise<Outcome> {
  const { latency } = await bench.load.run({
    kind: 'point-read',
    target: query.target,
    clients: CLIENTS,
    eventBytes: bench.options.eventBytes,
    entities: READ_ENTITIES,
    readsPerSecond: CALLS_PER_SECOND,
    ...span,
  });
  return { value: latency.p50Ms, latency };
}
