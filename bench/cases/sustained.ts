/** P18: batches at full speed for a long time. Does the last minute hold what the first one promised, and does memory stay where it was? */
import { statfsSync } from 'node:fs';
import type { LoadResult } from '../load/job.ts';
import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { RunningCore } from '../subjects/core.ts';
import { residentBytes } from './inspected-memory.ts';
import { storedEventBytes } from './restart.ts';

const CLIENTS = 8;
const EVENTS_PER_CALL = 1000;
const RESIDENT_POLL_MS = 500;
const COMPARED_SECONDS = 60;
/** Of the free disk, that the log may take. */
const DISK_SHARE = 0.6;

/** One run of `sustainMs`, or of as many events as the disk has room for. */
export async function runSustained(bench: Bench): Promise<Measurement[]> {
  const { sustainMs, jitWarmupMs } = bench.options;
  const title = `sustained batches of ${EVENTS_PER_CALL}, ${CLIENTS} clients, ${sustainMs / 1000} s`;
  const measurement = measurementOf({ caseName: 'P18', title, unit: 'events/s' });
  bench.announce(`P18 ${title}`);
  const folder = bench.freshFolder('sustained');
  const core = await RunningCore.start(folder);
  try {
    await run(bench, core, { durationMs: jitWarmupMs });
    await bench.add(measurement, () => run(bench, core, { durationMs: sustainMs }));
  } finally {
    await core.stop();
  }
  return [measurement];
}

// oxlint-disable-next-line eslint/max-params -- who, what and how long.
async function run(
  bench: Bench,
  core: RunningCore,
  { durationMs }: { durationMs: number },
): Promise<Outcome> {
  const { bavail, bsize } = statfsSync(core.folder);
  const eventsMax = Math.floor((DISK_SHARE * bavail * bsize) / storedEventBytes(bench));
  let residentMax = 0;
  const poll = setInterval(() => {
    residentMax = Math.max(residentMax, residentBytes(core.pid));
  }, RESIDENT_POLL_MS);
  try {
    const result = await bench.load.run({
      kind: 'append',
      target: core.target,
      clients: CLIENTS,
      eventsPerCall: EVENTS_PER_CALL,
      warmupMs: 0,
      durationMs,
      eventBytes: bench.options.eventBytes,
      eventsMax,
    });
    const { events, seconds, latency } = result;
    const ends = events >= eventsMax ? ', ended by the room on the disk' : '';
    const note = `${steadiness(result)}; resident set at most ${Math.round(residentMax / 2 ** 20)} MiB; p99.9 ${latency.p999Ms.toFixed(1)} ms; ${events.toLocaleString('en')} events in ${seconds.toFixed(0)} s${ends}`;
    return { value: events / seconds, latency, note };
  } finally {
    clearInterval(poll);
  }
}

/** The rate of the last minute over that of the first one; of shorter spans where the run has not two minutes. */
export function steadiness({ eventsEachSecond = [] }: LoadResult): string {
  const seconds = Math.min(COMPARED_SECONDS, Math.floor(eventsEachSecond.length / 2));
  if (seconds === 0) return 'too short to compare its ends';
  const share = sumOf(eventsEachSecond.slice(-seconds)) / sumOf(eventsEachSecond.slice(0, seconds));
  return `the last ${seconds} s at ${(share * 100).toFixed(1)} % of the first`;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
