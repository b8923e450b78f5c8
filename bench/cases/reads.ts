/** P10 and P15: reads of the gateway, with answers kept and without, and the same questions to PostgreSQL in the same run. */
import {
  type Bench,
  type Entry,
  type Measurement,
  measurementOf,
  type Span,
} from '../measurement.ts';
import type { PointReadJob, ReadJob, Target } from '../load/job.ts';
import { type RunningCore, startQuery } from '../subjects/core.ts';
import { answersOk, sleep } from '../subjects/server-process.ts';
import type { RunningSubject, Subject } from '../subjects/subject.ts';
import { outcomeOf } from './comparisons.ts';

export const READ_ENTITIES = 64;
export const READ_ENTITY_EVENTS = 100;
const STREAM_CLIENTS = 16;
const POINT_CLIENTS = 16;
const POINT_READS_PER_SECOND = 10_000;
/** PostgreSQL is filled with fewer events, in its favour: its index is smaller. */
const PEER_EVENTS_MAX = 200_000;
const PEER_ENTITIES = 10_000;
const CLIENTS_FILL = 4;

const KEPT = 'answers kept';
const FRESH = 'no answer kept';

interface Reader {
  readonly title: string;
  readonly target: Target;
  readonly subject?: string;
}

/** Measures the reads that are wanted on a filled core. */
// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
export async function runReads(
  bench: Bench,
  core: RunningCore,
  subjects: readonly Subject[],
): Promise<Measurement[]> {
  const kept = await startQuery(core);
  const fresh = await startQuery(core, {
    folder: bench.freshFolder('reads'),
    environment: { ALLSOURCE_ANSWER_CACHE_BYTES: '0' },
  });
  const postgres = await startPostgres(bench, subjects);
  try {
    for (const { target } of [kept, fresh])
      while (!(await answersOk(`${target.url}/readyz`))) await sleep(20);
    const readers: Reader[] = [
      { title: KEPT, target: kept.target },
      { title: FRESH, target: fresh.target },
      ...(postgres === null
        ? []
        : [{ title: KEPT, target: postgres.target, subject: 'PostgreSQL' }]),
    ];
    const measurements: Measurement[] = [];
    if (bench.wants('P10')) measurements.push(...(await runStreams(bench, readers)));
    if (bench.wants('P15')) measurements.push(...(await runPoints(bench, readers)));
    return measurements;
  } finally {
    await Promise.all([kept.stop(), fresh.stop(), postgres?.stop()]);
  }
}

async function startPostgres(
  bench: Bench,
  subjects: readonly Subject[],
): Promise<RunningSubject | null> {
  const subject = subjects.find(({ name }) => name === 'PostgreSQL');
  if (subject === undefined) return null;
  bench.announce('filling PostgreSQL for the reads');
  const postgres = await subject.start(bench.freshFolder('postgres-reads'));
  const { eventBytes, storedEvents } = bench.options;
  const common = { kind: 'fill', target: postgres.target, eventBytes } as const;
  const events = Math.min(storedEvents, PEER_EVENTS_MAX);
  await bench.load.run({
    ...common,
    clients: CLIENTS_FILL,
    events,
    entities: PEER_ENTITIES,
    entityPrefix: 'stored',
  });
  await bench.load.run({
    ...common,
    clients: 1,
    events: READ_ENTITIES * READ_ENTITY_EVENTS,
    entities: READ_ENTITIES,
    entityPrefix: 'read',
  });
  return postgres;
}

async function runStreams(bench: Bench, readers: readonly Reader[]): Promise<Measurement[]> {
  bench.announce('P10 reads of streams');
  const clients = bench.options.isQuick ? 8 : STREAM_CLIENTS;
  const about = `reads of a ${READ_ENTITY_EVENTS}-event entity, ${clients} clients`;
  const entries = readers.map((reader) =>
    entryOf(bench, reader, {
      caseName: 'P10',
      about,
      clients,
      job: { kind: 'read', entities: READ_ENTITIES, eventsPerEntity: READ_ENTITY_EVENTS },
    }),
  );
  return await measured(bench, entries, about);
}

async function runPoints(bench: Bench, readers: readonly Reader[]): Promise<Measurement[]> {
  bench.announce('P15 point reads at a fixed rate');
  const about = `the newest event of an entity, ${POINT_READS_PER_SECOND} reads/s asked for, ${POINT_CLIENTS} connections`;
  const entries = readers.map((reader) =>
    entryOf(bench, reader, {
      caseName: 'P15',
      about,
      clients: POINT_CLIENTS,
      job: {
        kind: 'point-read',
        entities: READ_ENTITIES,
        readsPerSecond: POINT_READS_PER_SECOND,
      },
    }),
  );
  return await measured(bench, entries, about);
}

interface ReadCase {
  readonly caseName: 'P10' | 'P15';
  readonly about: string;
  readonly clients: number;
  readonly job:
    | Pick<ReadJob, 'kind' | 'entities' | 'eventsPerEntity'>
    | Pick<PointReadJob, 'kind' | 'entities' | 'readsPerSecond'>;
}

function entryOf(
  bench: Bench,
  { title, target, subject }: Reader,
  { caseName, about, clients, job }: ReadCase,
): Entry {
  const { eventBytes } = bench.options;
  return {
    measurement: measurementOf({
      caseName,
      title: `${about}, ${title}`,
      unit: 'reads/s',
      ...named(subject),
    }),
    isWarmedUp: true,
    work: async (span: Span) => {
      const result = await bench.load.run({ ...job, target, clients, eventBytes, ...span });
      const value = result.calls / result.seconds;
      const note = result.note === undefined ? {} : { note: result.note };
      return { ...outcomeOf(result), value, ...note };
    },
  };
}

/** The measurements; PostgreSQL's, which keeps no answers, stands beside both of ours. */
// oxlint-disable-next-line eslint/max-params -- who, what and under which name.
async function measured(
  bench: Bench,
  entries: readonly Entry[],
  about: string,
): Promise<Measurement[]> {
  await bench.takeSamples(entries);
  const measurements = entries.map(({ measurement }) => measurement);
  const peer = measurements.find(({ subject }) => subject === 'PostgreSQL');
  return peer === undefined
    ? measurements
    : [...measurements, { ...peer, title: `${about}, ${FRESH}` }];
}

function named(subject: string | undefined): Partial<Measurement> {
  return subject === undefined ? {} : { subject, ack: 'a read' };
}
