/** The cases in which the peers do the same work in the same run. Repetitions are interleaved: every subject once, then every subject again. */
import type { AppendJob, HotEntityJob, LoadResult } from '../load/job.ts';
import type { Bench, Measurement, Outcome } from '../measurement.ts';
import type { MissingSubject, RunningSubject, Subject } from '../subjects/subject.ts';
import { findWrk, runWrk } from '../wrk.ts';

interface Comparison {
  readonly caseName: string;
  readonly title: string;
  readonly kind: 'append' | 'hot-entity';
  readonly clients: number;
  readonly eventsPerCall: number;
  /** core: only we know the work; http: also the probe; all: every peer. */
  readonly subjects: 'core' | 'http' | 'all';
  /** Whether wrk takes it too: never, in full runs, or in quick ones as well. */
  readonly wrk: 'never' | 'full' | 'always';
}

const CORE = 'AllSource core';
const append = { kind: 'append', subjects: 'all', wrk: 'never' } as const;
const COMPARISONS: readonly Comparison[] = [
  { ...append, caseName: 'P1', title: 'single appends, 1 client', clients: 1, eventsPerCall: 1 },
  {
    ...append,
    caseName: 'P3',
    title: 'single appends, 64 clients',
    clients: 64,
    eventsPerCall: 1,
    wrk: 'full',
  },
  {
    ...append,
    caseName: 'P4',
    title: 'one hot entity, 64 clients, expected versions',
    kind: 'hot-entity',
    clients: 64,
    eventsPerCall: 1,
    subjects: 'core',
  },
  {
    ...append,
    caseName: 'P5',
    title: 'batches of 100, 16 clients',
    clients: 16,
    eventsPerCall: 100,
    wrk: 'always',
  },
  {
    ...append,
    caseName: 'P5',
    title: 'batches of 1000, 8 clients',
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

/** A measurement and how to take one more sample of it. */
interface Entry {
  readonly measurement: Measurement;
  readonly work: () => Promise<Outcome>;
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
  const wanted = COMPARISONS.filter(({ caseName }) => bench.wants(caseName));
  const result: ComparisonResult = { measurements: [], notStarted: [] };
  if (wanted.length === 0) return result;
  const started: Started[] = [];
  bench.announce('starting core and its peers');
  try {
    for (const subject of subjects) {
      try {
        const running = await subject.start(bench.freshFolder(subject.name));
        started.push({ subject, running });
      } catch (error) {
        result.notStarted.push({ name: subject.name, missing: String(error) });
      }
    }
    for (const comparison of wanted)
      result.measurements.push(...(await compare(bench, comparison, started)));
  } finally {
    for (const { running } of started) await running.stop();
  }
  return result;
}

// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
async function compare(
  bench: Bench,
  comparison: Comparison,
  started: readonly Started[],
): Promise<Measurement[]> {
  bench.announce(`${comparison.caseName} ${comparison.title}`);
  const entries = started.flatMap((one) => entriesOf(bench, comparison, one));
  for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1)
    for (const { measurement, work } of entries) await bench.add(measurement, work);
  return entries.map(({ measurement }) => measurement);
}

// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
function entriesOf(bench: Bench, comparison: Comparison, { subject, running }: Started): Entry[] {
  if (!takesPart(comparison, { subject, running })) return [];
  const entry = (client: string, work: Entry['work']): Entry => ({
    measurement: {
      caseName: comparison.caseName,
      title: comparison.title,
      subject: subject.name,
      client,
      ack: subject.ack,
      isDurable: subject.isDurable,
      unit: 'events/s',
      samples: [],
      fault: null,
    },
    work,
  });
  const job = jobOf(bench, comparison, running);
  const node = entry('Node', async () => outcomeOf(await bench.load.run(job)));
  const wrk = findWrk();
  const usesWrk =
    comparison.wrk === 'always' || (comparison.wrk === 'full' && bench.options.runsWrkEverywhere);
  const canWrk = usesWrk && wrk !== null && running.target.client === 'http';
  if (!canWrk || job.kind !== 'append') return [node];
  const withWrk = async (): Promise<Outcome> => {
    const { eventsPerSecond, p50Ms, p99Ms } = await runWrk(wrk, job, bench.folder);
    return { value: eventsPerSecond, latency: { p50Ms, p99Ms } };
  };
  return [node, entry('wrk (C)', withWrk)];
}

function takesPart(comparison: Comparison, { subject, running }: Started): boolean {
  if (comparison.clients > 1 && subject.clientsMax === 1 && comparison.eventsPerCall === 1)
    return false;
  if (comparison.subjects === 'core') return subject.name === CORE;
  return comparison.subjects === 'all' || running.target.client === 'http';
}

// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
function jobOf(
  bench: Bench,
  comparison: Comparison,
  running: RunningSubject,
): AppendJob | HotEntityJob {
  const { warmupMs, durationMs, eventBytes } = bench.options;
  const { kind, clients, eventsPerCall } = comparison;
  const { target } = running;
  const common = { target, clients, warmupMs, durationMs, eventBytes };
  return kind === 'append' ? { ...common, kind, eventsPerCall } : { ...common, kind };
}

/** Events a second and latencies of a load result, with the number of retries where there were any. */
export function outcomeOf({ events, seconds, latency, retries, calls }: LoadResult): Outcome {
  const outcome = { value: events / seconds, latency };
  if (retries === 0) return outcome;
  return { ...outcome, note: `${(retries / calls).toFixed(1)} retries per append` };
}
