import { parseArgs } from 'node:util';
import { resolve } from 'node:path';

/** What one run of the benchmark does. */
export interface BenchOptions {
  /** Names of cases (P1, P5, memory ...); null = all. */
  readonly only: readonly string[] | null;
  readonly measuresPeers: boolean;
  readonly repetitions: number;
  /** Of the run before the first one that counts. */
  readonly jitWarmupMs: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly eventBytes: number;
  /** Events in the store for the follow rate, reads and replays. */
  readonly storedEvents: number;
  /** Events in the store for the restart: the same store with more of them. */
  readonly restartEvents: number;
  /** Size of the open segment for the restart. */
  readonly tailBytes: number;
  readonly sustainMs: number;
  /** How long the subscribers of P13 listen. */
  readonly subscribedMs: number;
  /** How many of them there are. */
  readonly subscribers: number;
  /** Entities for the memory case. */
  readonly entities: number;
  /** Writes of one measurement of the fsync floor. */
  readonly floorWrites: number;
  /** Clients of a comparison; those that would have more have so many. */
  readonly clientsMax: number;
  /** false: wrk takes only the headline case, for it knows no run below a second. */
  readonly runsWrkEverywhere: boolean;
  readonly isQuick: boolean;
  /** Where real logs lie, for P17; null = generated events. */
  readonly logsFolder: string | null;
  readonly runFolder: string;
  readonly resultsFolder: string;
}

export const CASES =
  'P1 P3 P4 P5 lanes schemas P12 P13 lag catch-up mixed beside follow P10 P15 apart P11 P16 P17 P18 P19 memory'.split(
    ' ',
  );

/** Cases whose spans cannot be shortened much; a quick run has them only when they are named. */
const LONG_CASES = ['schemas', 'P13', 'lag', 'mixed', 'beside', 'P15', 'apart', 'P19'];

/** How to call it. */
const USAGE = `Usage: npm run bench -- [--quick] [--only=P1,P5] [--no-peers] [--repetitions=N] [--seconds=N] [--sustain=SECONDS] [--subscribed=SECONDS]
  [--event-bytes=N] [--events=N] [--restart-events=N] [--entities=N] [--logs=FOLDER] [--run-folder=PATH] [--results=PATH]
Cases: ${CASES.join(' ')}; --quick leaves out ${LONG_CASES.join(' ')} unless --only names them`;

const MIB = 1024 * 1024;
const FULL = {
  repetitions: 5,
  seconds: 5,
  sustain: 60,
  subscribed: 300,
  subscribers: 1_000,
  jitWarmupMs: 2000,
  warmupMs: 1000,
  stored: 2_000_000,
  restart: 10_000_000,
  tailBytes: 1024 * MIB,
  entities: 1_000_000,
};
const QUICK = {
  repetitions: 1,
  seconds: 0.25,
  sustain: 1,
  subscribed: 2,
  subscribers: 100,
  jitWarmupMs: 100,
  warmupMs: 30,
  stored: 30_000,
  restart: 30_000,
  tailBytes: 8 * MIB,
  entities: 20_000,
};

/** Reads the command line of a program. Where it only asks how, or asks for what there is not, the answer is printed and the process ends: with 2 for a mistake. */
export function optionsOrExit(args: readonly string[]): BenchOptions {
  if (args.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  try {
    return readOptions(args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    process.exit(2);
  }
}

/** Reads the command line. Throws a TypeError that names what is unknown or not allowed. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      repetitions: { type: 'string' },
      seconds: { type: 'string' },
      'event-bytes': { type: 'string', default: '200' },
      sustain: { type: 'string' },
      subscribed: { type: 'string' },
      events: { type: 'string' },
      'restart-events': { type: 'string' },
      entities: { type: 'string' },
      logs: { type: 'string' },
      'run-folder': { type: 'string', default: resolve(import.meta.dirname, '.run') },
      results: { type: 'string', default: resolve(import.meta.dirname, 'results') },
    },
  });
  const defaults = values.quick ? QUICK : FULL;
  const storedEvents = positive(values.events ?? defaults.stored, '--events');
  const restartEvents = positive(values['restart-events'] ?? defaults.restart, '--restart-events');
  return {
    only: casesOf(values),
    measuresPeers: !values['no-peers'],
    repetitions: positive(values.repetitions ?? defaults.repetitions, '--repetitions'),
    jitWarmupMs: defaults.jitWarmupMs,
    warmupMs: defaults.warmupMs,
    durationMs: positive(values.seconds ?? defaults.seconds, '--seconds') * 1000,
    eventBytes: positive(values['event-bytes'], '--event-bytes'),
    storedEvents,
    restartEvents: Math.max(storedEvents, restartEvents),
    tailBytes: defaults.tailBytes,
    sustainMs: positive(values.sustain ?? defaults.sustain, '--sustain') * 1000,
    subscribedMs: positive(values.subscribed ?? defaults.subscribed, '--subscribed') * 1000,
    subscribers: defaults.subscribers,
    entities: positive(values.entities ?? defaults.entities, '--entities'),
    floorWrites: values.quick ? 100 : 500,
    clientsMax: values.quick ? 16 : Number.POSITIVE_INFINITY,
    runsWrkEverywhere: !values.quick,
    isQuick: values.quick,
    logsFolder: values.logs === undefined ? null : resolve(values.logs),
    runFolder: resolve(values['run-folder']),
    resultsFolder: resolve(values.results),
  };
}

function casesOf({ only, quick }: { readonly only?: string | undefined; readonly quick: boolean }) {
  if (only !== undefined) return knownCases(only);
  return quick ? CASES.filter((name) => !LONG_CASES.includes(name)) : null;
}

function knownCases(list: string): string[] {
  const names = list.split(',');
  const unknown = names.filter((name) => !CASES.includes(name));
  if (unknown.length === 0) return names;
  throw new TypeError(`--only names ${unknown.join(', ')}, which is no case.`);
}

function positive(text: string | number, option: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new TypeError(`${option} is ${text}; it must be a number above 0.`);
}
