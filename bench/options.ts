import { parseArgs } from 'node:util';
import { resolve } from 'node:path';

/** What one run of the benchmark does. */
export interface BenchOptions {
  /** Names of cases (P1, P5, memory ...); null = all. */
  readonly only: readonly string[] | null;
  readonly measuresPeers: boolean;
  readonly repetitions: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly eventBytes: number;
  /** Events in the store for the follow rate and the restart. */
  readonly storedEvents: number;
  /** Entities for the memory case. */
  readonly entities: number;
  /** Writes of one measurement of the fsync floor. */
  readonly floorWrites: number;
  /** false: wrk takes only the headline case, for it knows no run below a second. */
  readonly runsWrkEverywhere: boolean;
  readonly isQuick: boolean;
  readonly runFolder: string;
  readonly resultsFolder: string;
}

/** How to call it. */
export const USAGE = `npm run bench -- [--quick] [--only=P1,P5] [--no-peers] [--repetitions=N] [--seconds=N] [--event-bytes=N]
  [--events=N] [--entities=N] [--run-folder=PATH] [--results=PATH]
Cases: P1 P3 P4 P5 lanes P12 follow P10 restart memory`;

const FULL = { repetitions: 5, seconds: 5, warmupMs: 1000, stored: 2_000_000, entities: 1_000_000 };
const QUICK = { repetitions: 2, seconds: 0.3, warmupMs: 100, stored: 100_000, entities: 100_000 };

/** Reads the command line. Throws a TypeError that names an unknown option. */
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
      events: { type: 'string' },
      entities: { type: 'string' },
      'run-folder': { type: 'string', default: resolve(import.meta.dirname, '.run') },
      results: { type: 'string', default: resolve(import.meta.dirname, 'results') },
    },
  });
  const defaults = values.quick ? QUICK : FULL;
  return {
    only: values.only?.split(',') ?? null,
    measuresPeers: !values['no-peers'],
    repetitions: positive(values.repetitions ?? defaults.repetitions, '--repetitions'),
    warmupMs: defaults.warmupMs,
    durationMs: positive(values.seconds ?? defaults.seconds, '--seconds') * 1000,
    eventBytes: positive(values['event-bytes'], '--event-bytes'),
    storedEvents: positive(values.events ?? defaults.stored, '--events'),
    entities: positive(values.entities ?? defaults.entities, '--entities'),
    floorWrites: values.quick ? 100 : 500,
    runsWrkEverywhere: !values.quick,
    isQuick: values.quick,
    runFolder: resolve(values['run-folder']),
    resultsFolder: resolve(values.results),
  };
}

function positive(text: string | number, option: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new TypeError(`${option} is ${text}; it must be a number above 0.\n${USAGE}`);
}
