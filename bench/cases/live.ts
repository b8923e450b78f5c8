import { type Bench, type Measurement, measurementOf } from '../measurement.ts';
import { RunningCore } from '../subjects/core.ts';

const EVENTS_PER_SECOND = 5000;
/** Of the disk alone, beside each run: a core that groups the appends of a millisecond writes as often. */
const FLOOR_WRITES_PER_SECOND = 1000;
const CLIENTS = 64;
const DURATION_MS_MIN = 1000;
/** A run that has only begun measures how fast code is compiled, not how fast it runs. */
const WARMUP_MS_MIN = 500;

/** P12: from the time an append was due to the subscriber's socket, at a fixed rate. */
export async function runLiveLatency(bench: Bench): Promise<Measurement[]> {
  const title = `append to subscriber at ${EVENTS_PER_SECOND} events/s (open loop, SSE)`;
  const measurement = measurementOf({ caseName: 'P12', title, unit: 'ms' });
  bench.announce(`P12 ${title}`);
  const core = await RunningCore.start(bench.freshFolder('live'));
  try {
    await warmUp(bench, core);
    const work = async (span: { warmupMs: number; durationMs: number }) => {
      const floor = bench.pacedFloor(FLOOR_WRITES_PER_SECOND);
      const { latency, note = '' } = await bench.load.run({
        kind: 'live',
        target: core.target,
        clients: CLIENTS,
        eventsPerSecond: EVENTS_PER_SECOND,
        warmupMs: Math.max(span.warmupMs, WARMUP_MS_MIN),
        durationMs: Math.max(span.durationMs, DURATION_MS_MIN),
        eventBytes: bench.options.eventBytes,
      });
      return { value: latency.p50Ms, latency, note: `${note}; ${floor}` };
    };
    await bench.takeSamples([{ measurement, isWarmedUp: true, work }]);
  } finally {
    await core.stop();
  }
  return [measurement];
}

/** Appends as fast as core takes them warm it up in less time than the fixed rate would, and leave no queue behind. */
async function warmUp(bench: Bench, core: RunningCore): Promise<void> {
  await bench.load.run({
    kind: 'append',
    target: core.target,
    clients: CLIENTS,
    eventsPerCall: 1,
    warmupMs: 0,
    durationMs: 2 * bench.options.jitWarmupMs,
    eventBytes: bench.options.eventBytes,
  });
}
