/** P16: kill -9, then the time from the start of the process until core is ready to serve. */
import { benchEvent } from '../event.ts';
import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { RunningCore } from '../subjects/core.ts';

const FILL_CLIENTS = 4;
const ENTITIES = 10_000;
const SPAN_BYTES = 64;
/** Of the segment, so that the last of the fill does not roll it. */
const TAIL_SHARE = 0.95;

/** Restarts with many events, in the filled store, and with one long open segment, in a store of its own. */
export async function runRestarts(bench: Bench, stored: RunningCore): Promise<Measurement[]> {
  const { restartEvents, storedEvents, tailBytes } = bench.options;
  bench.announce(`P16 restart: filling up to ${restartEvents} events`);
  await fill(bench, stored, restartEvents - storedEvents);
  const many = await measureRestarts(bench, stored, {
    title: `core ready after kill -9 with ${restartEvents.toLocaleString('en')} events`,
  });
  bench.announce(`P16 restart: filling an open segment of ${tailBytes} bytes`);
  const environment = { ALLSOURCE_SEGMENT_BYTES: String(tailBytes) };
  const core = await RunningCore.start(bench.freshFolder('tail'), { environment });
  try {
    await fill(bench, core, Math.floor((TAIL_SHARE * tailBytes) / storedEventBytes(bench)));
    const mebibytes = Math.round((TAIL_SHARE * tailBytes) / 2 ** 20);
    const title = `core ready after kill -9 with an open segment of ${mebibytes} MiB`;
    return [many, await measureRestarts(bench, core, { title })];
  } finally {
    await core.stop();
  }
}

/** About what the log keeps for an event: its span and its text. */
export function storedEventBytes(bench: Bench): number {
  const event = benchEvent({ entity: 'restart-1234', bytes: bench.options.eventBytes });
  const { type, entity, payload, metadata } = event;
  return SPAN_BYTES + type.length + entity.length + payload.length + metadata.length;
}

async function fill(bench: Bench, core: RunningCore, events: number): Promise<void> {
  if (events <= 0) return;
  const { eventBytes } = bench.options;
  const what = { events, entities: ENTITIES, entityPrefix: 'restart' };
  await bench.load.run({
    kind: 'fill',
    target: core.target,
    clients: FILL_CLIENTS,
    eventBytes,
    ...what,
  });
}

// oxlint-disable-next-line eslint/max-params -- who, what and its name.
async function measureRestarts(
  bench: Bench,
  core: RunningCore,
  { title }: { title: string },
): Promise<Measurement> {
  const measurement = measurementOf({ caseName: 'P16', title, unit: 'ms' });
  await bench.takeSamples([{ measurement, isWarmedUp: false, work: () => killAndStart(core) }]);
  return measurement;
}

async function killAndStart(core: RunningCore): Promise<Outcome> {
  await core.kill();
  const startedAt = performance.now();
  await core.launch();
  return { value: performance.now() - startedAt, latency: null };
}
