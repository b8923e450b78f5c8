/** What a schema on every event costs over HTTP: two cores, one of which enforces it, take the same batches in turn. */
import type { AppendJob } from '../load/job.ts';
import { type Bench, type Entry, type Measurement, measurementOf } from '../measurement.ts';
import { CORE, RunningCore } from '../subjects/core.ts';
import { enforceSchema } from '../support/strict-schemas.ts';
import { findWrk, runWrk } from '../wrk.ts';

const CLIENTS = 8;
const EVENTS_PER_CALL = 1000;
const TITLE = `a schema on every event, batches of ${EVENTS_PER_CALL}, ${CLIENTS} clients`;

/** Nothing where wrk is not here. */
export async function runSchemas(bench: Bench): Promise<Measurement[]> {
  const wrk = findWrk();
  if (wrk === null) return [];
  bench.announce(`schemas ${TITLE}`);
  const plain = await RunningCore.start(bench.freshFolder('plain'));
  const strict = await RunningCore.start(bench.freshFolder('strict'));
  try {
    await enforceSchema(strict, bench.options);
    const entries = [
      entryOf(bench, { wrk, core: strict, subject: `${CORE}, strict` }),
      entryOf(bench, { wrk, core: plain, subject: `${CORE}, no schema` }),
    ];
    await bench.takeSamples(entries);
    return entries.map(({ measurement }) => measurement);
  } finally {
    await Promise.all([plain.stop(), strict.stop()]);
  }
}

function entryOf(
  bench: Bench,
  {
    wrk,
    core,
    subject,
  }: { readonly wrk: string; readonly core: RunningCore; readonly subject: string },
): Entry {
  const client = 'wrk (C)';
  return {
    measurement: measurementOf({
      caseName: 'schemas',
      title: TITLE,
      unit: 'events/s',
      subject,
      client,
    }),
    isWarmedUp: !bench.options.isQuick,
    work: async (span) => {
      const job: AppendJob = {
        ...span,
        kind: 'append',
        target: core.target,
        clients: CLIENTS,
        eventsPerCall: EVENTS_PER_CALL,
        eventBytes: bench.options.eventBytes,
      };
      const { eventsPerSecond, p50Ms, p99Ms } = await runWrk(wrk, job, bench.folder);
      return { value: eventsPerSecond, latency: { p50Ms, p99Ms } };
    },
  };
}
