/** P10 and P15, and reads of entities whose events lie apart: at the gateway, and the same questions to PostgreSQL in the same run. */
import {
  type Bench,
  type Entry,
  type Measurement,
  measurementOf,
  type Span,
} from '../measurement.ts';
import type { PointReadJob, ReadJob, Target, Timed } from '../load/job.ts';
import { type QueryOptions, type RunningCore, startQuery } from '../subjects/core.ts';
import { atRest } from '../support/process-times.ts';
import { answersOk, sleep } from '../subjects/server-process.ts';
import type { RunningSubject, Subject } from '../subjects/subject.ts';
import { outcomeOf } from './comparisons.ts';

export const READ_CASES = ['P10', 'P15', 'apart'];
/** Those of a store that is filled: their events come in turn, so those of one lie apart. */
export const STORED_ENTITIES = 10_000;
export const READ_ENTITIES = 64;
export const READ_ENTITY_EVENTS = 100;
const STREAM_CLIENTS = 16;
const POINT_CLIENTS = 16;
const POINT_READS_PER_SECOND = 10_000;
/** For P10 and P15 PostgreSQL is filled with fewer events, in its favour: its index is smaller. */
const PEER_EVENTS_MAX = 200_000;
/** Shares no factor with the number of entities: all of them are read, each far from the one before. */
const APART_STRIDE = 7_919;
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

/** Measures the reads that are wanted on a filled core: with answers kept, then with none, then with none of entities whose events lie apart; each beside PostgreSQL. */
// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
export async function runReads(
  bench: Bench,
  core: RunningCore,
  subjects: readonly Subject[],
): Promise<Measurement[]> {
  const postgres = await startPostgres(bench, subjects);
  try {
    const measurements: Measurement[] = [];
    const fresh = {
      folder: bench.freshFolder('reads'),
      environment: { ALLSOURCE_ANSWER_CACHE_BYTES: '0' },
    };
    if (bench.wants('P10') || bench.wants('P15')) {
      for (const [title, options] of [
        [KEPT, {}],
        [FRESH, fresh],
      ] as const)
        measurements.push(
          ...(await withReaders(bench, core, { title, postgres, options }, async (readers) => [
            ...(bench.wants('P10') ? await runStreams(bench, readers) : []),
            ...(bench.wants('P15') ? await runPoints(bench, readers) : []),
          ])),
        );
    }
    if (bench.wants('apart')) {
      if (postgres !== null) await fillUpPostgres(bench, postgres);
      measurements.push(
        ...(await withReaders(bench, core, { title: FRESH, postgres, options: fresh }, (readers) =>
          runApart(bench, readers),
        )),
      );
    }
    return measurements;
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
async function withReaders(
  bench: Bench,
  core: RunningCore,
  { title, postgres, options }: ReadSubjects,
  run: (readers: readonly Reader[]) => Promise<Measurement[]>,
): Promise<Measurement[]> {
  const query = await startQuery(core, options);
  try {
    while (!(await answersOk(`${query.target.url}/readyz`))) await sleep(20);
    if (!(await atRest([core.pid, query.pid], REST_LIMIT_MS)))
      bench.announce('the read store has not come to rest; reads are measured beside its work');
    const readers: Reader[] = [{ title, target: query.target }];
    if (postgres !== null) readers.push({ title, target: postgres.target, subject: 'PostgreSQL' });
    return await run(readers);
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
  await fillStored(bench, postgres, Math.min(storedEvents, PEER_EVENTS_MAX));
  const common = { kind: 'fill', target: postgres.target, eventBytes } as const;
  await bench.load.run({
    ...common,
    clients: 1,
    events: READ_ENTITIES * READ_ENTITY_EVENTS,
    entities: READ_ENTITIES,
    entityPrefix: 'read',
  });
  return postgres;
}

/** Brings PostgreSQL to as many events as the store has. */
async function fillUpPostgres(bench: Bench, postgres: RunningSubject): Promise<void> {
  const missing = bench.options.storedEvents - PEER_EVENTS_MAX;
  if (missing <= 0) return;
  bench.announce('filling PostgreSQL up');
  await fillStored(bench, postgres, missing);
}

// oxlint-disable-next-line eslint/max-params -- whom, and with how many.
async function fillStored(bench: Bench, { target }: RunningSubject, events: number): Promise<void> {
  const { eventBytes } = bench.options;
  const filled = { entities: STORED_ENTITIES, entityPrefix: 'stored' };
  await bench.load.run({
    kind: 'fill',
    target,
    eventBytes,
    clients: CLIENTS_FILL,
    events,
    ...filled,
  });
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
      job: {
        kind: 'read',
        entityPrefix: 'read',
        entities: READ_ENTITIES,
        entityStride: 1,
        eventsPerEntity: READ_ENTITY_EVENTS,
      },
    }),
  );
  return await measured(bench, entries);
}

async function runApart(bench: Bench, readers: readonly Reader[]): Promise<Measurement[]> {
  bench.announce('apart: reads of entities whose events lie apart');
  const eventsPerEntity = Math.min(
    READ_ENTITY_EVENTS,
    Math.floor(bench.options.storedEvents / STORED_ENTITIES),
  );
  const about = `the first ${eventsPerEntity} events of any of ${STORED_ENTITIES} entities, ${STREAM_CLIENTS} clients`;
  const entries = readers.map((reader) =>
    entryOf(bench, reader, {
      caseName: 'apart',
      about,
      clients: STREAM_CLIENTS,
      job: {
        kind: 'read',
        entityPrefix: 'stored',
        entities: STORED_ENTITIES,
        entityStride: APART_STRIDE,
        eventsPerEntity,
      },
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
  readonly caseName: 'P10' | 'P15' | 'apart';
  readonly about: string;
  readonly clients: number;
  readonly job:
    | Omit<ReadJob, keyof Timed>
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
