/** Appends beside a follower that catches up: what one who reads the whole log, again and again, costs those who append to it. */
import { LoadProcess } from '../load/load-process.ts';
import { type Bench, type Measurement, measurementOf, type Span } from '../measurement.ts';
import { INTERNAL_TOKEN, RunningCore } from '../subjects/core.ts';

const CLIENTS = 4;
/** Each in a frame of its own, as single appends leave them. */
const LOGGED_EVENTS = 400_000;
const LOGGED_EVENTS_QUICK = 10_000;
const FILL_CLIENTS = 64;
const FILL_MS_MAX = 60_000;

/** In turns, single appends alone and with the follower beside them. */
export async function runCatchUp(bench: Bench): Promise<Measurement[]> {
  const alone = appendsWith('nothing');
  const beside = appendsWith('a follower that reads the log');
  bench.announce('catch-up appends beside a follower');
  const core = await RunningCore.start(bench.freshFolder('catch-up'));
  const follower = new LoadProcess();
  try {
    const logged = await fill(bench, core);
    await bench.takeSamples([
      { measurement: alone, isWarmedUp: true, work: (span) => append(bench, core, span) },
      {
        measurement: beside,
        isWarmedUp: true,
        work: async (span) => {
          const following = followAgain(follower, core, logged);
          const outcome = await append(bench, core, span);
          const eventsPerSecond = Math.round(await following.stop()).toLocaleString('en');
          return { ...outcome, note: `${eventsPerSecond} events/s to the follower` };
        },
      },
    ]);
  } finally {
    follower.close();
    await core.stop();
  }
  return [alone, beside];
}

function appendsWith(what: string): Measurement {
  const title = `single appends, ${CLIENTS} clients, beside ${what}`;
  return measurementOf({ caseName: 'catch-up', title, unit: 'events/s' });
}

/** Appends what the follower reads. Returns how many events it is. */
async function fill(bench: Bench, core: RunningCore): Promise<number> {
  const eventsMax = bench.options.isQuick ? LOGGED_EVENTS_QUICK : LOGGED_EVENTS;
  const { events } = await bench.load.run({
    kind: 'append',
    target: core.target,
    clients: FILL_CLIENTS,
    eventsPerCall: 1,
    eventsMax,
    warmupMs: 0,
    durationMs: FILL_MS_MAX,
    eventBytes: bench.options.eventBytes,
  });
  return events;
}

async function append(bench: Bench, core: RunningCore, span: Span) {
  const result = await bench.load.run({
    kind: 'append',
    target: core.target,
    clients: CLIENTS,
    eventsPerCall: 1,
    eventBytes: bench.options.eventBytes,
    ...span,
  });
  return { value: result.events / result.seconds, latency: result.latency };
}

/** Reads the log from its first event on, and again, until it is stopped; that gives the events of a second. */
function followAgain(follower: LoadProcess, core: RunningCore, events: number) {
  const state = { isStopped: false };
  const startedAt = performance.now();
  const reading = (async () => {
    let read = 0;
    while (!state.isStopped) {
      const job = { target: core.target, internalToken: INTERNAL_TOKEN, events } as const;
      read += (await follower.run({ ...job, kind: 'replay', takes: 'bytes' })).events;
    }
    return read / ((performance.now() - startedAt) / 1000);
  })();
  return {
    stop: () => {
      state.isStopped = true;
      return reading;
    },
  };
}
