/** P10 and P15: reads of the gateway, with answers kept and without, and the same questions to PostgreSQL in the same run. */
import {
  type Bench,
  type Entry,
  type Measurement,
  measurementOf,
  type Span,
} from '../measurement.ts';
import type { PointReadJob, ReadJob, Target } from '../load/job.ts';
import { type QueryOptions, type RunningCore, startQuery } from '../subjects/core.ts';
import { atRest } from '../support/process-times.ts';
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
/** What the services do after they have caught up (merges, Parquet files, seals) is waited for so long. */
const REST_LIMIT_MS = 60_000;

const KEPT = 'answers kept';
const FRESH = 'no answer kept';

interface Reader {
  readonly title: string;
  readonly target: Target;
  readonly subject?: string;
}

/** Measures the reads that are wanted on a filled core: with answers kept, then with none, each beside PostgreSQL. */
// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
export async function runReads(
  bench: Bench,
  core: RunningCore,
  subjects: readonly Subject[],
): Promise<Measurement[]> {
  const postgres = await startPostgres(bench, subjects);
  try {
    const kept = await runReadsOf(bench, core, { title: KEPT, postgres, options: {} });
    const options = {
      folder: bench.freshFolder('reads'),
      environment: { ALLSOURCE_ANSWER_CACHE_BYTES: '0' },
    };
    return [...kept, ...(await runReadsOf(bench, core, { title: FRESH, postgres, options }))];
  } finally {
    await postgres?.stop();
  }
}

interface ReadSubjects {
  readonly title: string;
  readonly postgres: RunningSubject | null;
  readonly options: QueryOptions;
}

/** One query service at a time: beside another, each would be measured beside the snapshots that both take. */
// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
async function runReadsOf(
  bench: Bench,
  core: RunningCore,
  { title, postgres, options }: ReadSubjects,
): Promise<Measurement[]> {
  const query = await startQuery(core, options);
  try {
    while (!(await answersOk(`${query.target.url}/readyz`))) await sleep(20);
    if (!(await atRest([core.pid, query.pid], REST_LIMIT_MS)))
      bench.announce('the read store has not come to rest; reads are measured beside its work');
    const readers: Reader[] = [{ title, target: query.target }];
    if (postgres !== null) readers.push({ title, target: postgres.target, subject: 'PostgreSQL' });
    const measurements: Measurement[] = [];
    if (bench.wants('P10')) measurements.push(...(await runStreams(bench, readers)));
    if (bench.wants('P15')) measurements.push(...(await runPoints(bench, readers)));
    return measurements;
  } finally {
    await query.stop();
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
  return await measured(bench, entries);
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
  return await measured(bench, entries);
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

async function measured(bench: Bench, entries: readonly Entry[]): Promise<Measurement[]> {
  await bench.takeSamples(entries);
  return entries.map(({ measurement }) => measurement);
}

function named(subject: string | undefined): Partial<Measurement> {
  return subject === undefined ? {} : { subject, ack: 'a read' };
}
