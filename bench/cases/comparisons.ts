/** The cases in which the peers do the same work in the same run. Repetitions are interleaved: every subject once, then every subject again. */
import type { AppendJob, LoadJob, LoadResult } from '../load/job.ts';
import {
  type Bench,
  type Entry,
  type Measurement,
  measurementOf,
  type Outcome,
} from '../measurement.ts';
import type { MissingSubject, RunningSubject, Subject } from '../subjects/subject.ts';
import { findWrk, runWrk } from '../wrk.ts';

interface Comparison {
  readonly caseName: string;
  readonly title: string;
  readonly kind: 'append' | 'hot-entity';
  readonly clients: number;
  readonly eventsPerCall: number;
  /** http: core and the probes; conditional: who knows expected versions; all: everybody. */
  readonly subjects: 'http' | 'conditional' | 'all';
  /** Whether wrk takes it too: never, in full runs, or in quick ones as well. */
  readonly wrk: 'never' | 'full' | 'always';
}

const append = { kind: 'append', subjects: 'all', wrk: 'never' } as const;
const COMPARISONS: readonly Comparison[] = [
  { ...append, caseName: 'P1', title: 'single appends', clients: 1, eventsPerCall: 1 },
  {
    ...append,
    caseName: 'P3',
    title: 'single appends',
    clients: 64,
    eventsPerCall: 1,
    wrk: 'full',
  },
  {
    ...append,
    caseName: 'P4',
    title: 'one hot entity, expected versions',
    kind: 'hot-entity',
    clients: 64,
    eventsPerCall: 1,
    subjects: 'conditional',
  },
  {
    ...append,
    caseName: 'P5',
    title: 'batches of 100',
    clients: 16,
    eventsPerCall: 100,
    wrk: 'always',
  },
  {
    ...append,
    caseName: 'P5',
    title: 'batches of 1000',
    clients: 8,
    eventsPerCall: 1000,
    subjects: 'http',
    wrk: 'full',
  },
];

interface Started {
  readonly subject: Subject;
  readonly running: RunningSubject;
}

/** What came of the comparisons, and which subjects could not be started after all. */
export interface ComparisonResult {
  readonly measurements: Measurement[];
  readonly notStarted: MissingSubject[];
}

/** Starts the subjects, runs the wanted comparisons and stops the subjects. */
export async function runComparisons(
  bench: Bench,
  subjects: readonly Subject[],
): Promise<ComparisonResult> {
  const wanted = COMPARISONS.filter(({ caseName }) => bench.wants(caseName)).map((comparison) =>
    withClients(comparison, Math.min(comparison.clients, bench.options.clientsMax)),
  );
  const result: ComparisonResult = { measurements: [], notStarted: [] };
  if (wanted.length === 0) return result;
  bench.announce('starting core and its peers');
  const starts = await Promise.all(subjects.map((subject) => startSubject(bench, subject)));
  const started = starts.filter((one) => 'running' in one);
  result.notStarted.push(...starts.filter((one) => 'missing' in one));
  try {
    for (const comparison of wanted)
      result.measurements.push(...(await compare(bench, comparison, started)));
  } finally {
    for (const { running } of started) await running.stop();
  }
  return result;
}

function withClients(comparison: Comparison, clients: number): Comparison {
  const title = `${comparison.title}, ${clients} ${clients === 1 ? 'client' : 'clients'}`;
  return { ...comparison, clients, title };
}

async function startSubject(bench: Bench, subject: Subject): Promise<Started | MissingSubject> {
  try {
    return { subject, running: await subject.start(bench.freshFolder(subject.name)) };
  } catch (error) {
    return { name: subject.name, missing: String(error) };
  }
}

// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
async function compare(
  bench: Bench,
  comparison: Comparison,
  started: readonly Started[],
): Promise<Measurement[]> {
  bench.announce(`${comparison.caseName} ${comparison.title}`);
  const entries = started.flatMap((one) => entriesOf(bench, comparison, one));
  await bench.takeSamples(entries);
  return entries.map(({ measurement }) => measurement);
}

// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
function entriesOf(bench: Bench, comparison: Comparison, { subject, running }: Started): Entry[] {
  if (!takesPart(comparison, { subject, running })) return [];
  const { caseName, title, kind, clients, eventsPerCall } = comparison;
  const { name, ack, isDurable } = subject;
  const rowOf = (client: string): Measurement =>
    measurementOf({ caseName, title, unit: 'events/s', subject: name, client, ack, isDurable });
  const { eventBytes } = bench.options;
  const common = { target: running.target, clients, eventBytes, eventsPerCall };
  const node: Entry = {
    measurement: rowOf('Node'),
    isWarmedUp: true,
    work: async (span) => {
      const job: LoadJob = { ...common, ...span, kind };
      return outcomeOf(await bench.load.run(job));
    },
  };
  const wrk = wrkFor(bench, comparison);
  if (wrk === null || running.target.client !== 'http') return [node];
  const withWrk: Entry = {
    measurement: rowOf('wrk (C)'),
    isWarmedUp: false,
    work: async (span) => {
      const job: AppendJob = { ...common, ...span, kind: 'append' };
      const { eventsPerSecond, p50Ms, p99Ms } = await runWrk(wrk, job, bench.folder);
      return { value: eventsPerSecond, latency: { p50Ms, p99Ms } };
    },
  };
  return [node, withWrk];
}

function takesPart(
  { caseName, clients, eventsPerCall, subjects }: Comparison,
  one: Started,
): boolean {
  if (one.subject.cases?.includes(caseName) === false) return false;
  if (clients > 1 && one.subject.clientsMax === 1 && eventsPerCall === 1) return false;
  switch (subjects) {
    case 'all':
      return true;
    case 'http':
      return one.running.target.client === 'http';
    case 'conditional':
      return one.subject.hasConditions;
  }
}

function wrkFor(bench: Bench, { wrk }: Comparison): string | null {
  const isWanted = wrk === 'always' || (wrk === 'full' && bench.options.runsWrkEverywhere);
  return isWanted ? findWrk() : null;
}

/** Events a second and latencies of a load result, with the number of retries where there were any. */
export function outcomeOf({ events, seconds, latency, retries, calls }: LoadResult): Outcome {
  const outcome = { value: events / seconds, latency };
  if (retries === 0) return outcome;
  return { ...outcome, note: `${(retries / calls).toFixed(1)} conflicts per append` };
}
