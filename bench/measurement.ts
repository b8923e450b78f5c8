import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadAverage } from './environment.ts';
import { FsyncFloor } from './fsync-floor.ts';
import { LoadProcess } from './load/load-process.ts';
import type { BenchOptions } from './options.ts';
import { isVoid, type LatencySummary } from './statistics.ts';

export type Unit = 'events/s' | 'reads/s' | 'ms' | 'bytes/entity' | 'bytes/event';

/** What one run gave. */
export interface Outcome {
  readonly value: number;
  readonly latency: Partial<LatencySummary> | null;
  /** What a reader should know of this run. */
  readonly note?: string;
}

/** An outcome and the machine around it. */
export interface Sample extends Outcome {
  readonly floorBeforeMs: number;
  readonly floorAfterMs: number;
  readonly isVoid: boolean;
  readonly loadAverage: number;
}

/** One line of the report: a case, a subject and a client, with every run of it. */
export interface Measurement {
  readonly caseName: string;
  readonly title: string;
  readonly subject: string;
  readonly client: string;
  readonly ack: string;
  readonly isDurable: boolean;
  readonly unit: Unit;
  readonly samples: Sample[];
  /** Why it has no (more) samples. */
  fault: string | null;
}

/** How long a run goes unmeasured, and then measured. */
export interface Span {
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** A measurement and how to take one more sample of it. */
export interface Entry {
  readonly measurement: Measurement;
  /** false: nothing here becomes faster by running. */
  readonly isWarmedUp: boolean;
  readonly work: (span: Span) => Promise<Outcome>;
}

/** A measurement of core by a Node client, as most are, unless told otherwise; without samples yet. */
export function measurementOf(
  what: Pick<Measurement, 'caseName' | 'title' | 'unit'> & Partial<Measurement>,
): Measurement {
  return {
    subject: 'AllSource core',
    client: 'Node',
    ack: 'after fdatasync',
    isDurable: true,
    samples: [],
    fault: null,
    ...what,
  };
}

/** How long a subject may go on with what it asked of the machine. */
const REST_MS = 300;

/** A run of the benchmark: its folder on the disk, its load process, its floor. */
export class Bench {
  readonly options: BenchOptions;
  readonly folder: string;
  readonly load = new LoadProcess();
  readonly #floor: FsyncFloor;
  readonly #startedAt = performance.now();

  constructor(options: BenchOptions) {
    this.options = options;
    mkdirSync(options.runFolder, { recursive: true });
    this.folder = mkdtempSync(join(options.runFolder, 'run-'));
    // A peer that runs as another user has to reach its folder below.
    chmodSync(this.folder, 0o755);
    this.#floor = new FsyncFloor(this.folder);
    process.once('exit', () => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** A fresh folder for a server. */
  freshFolder(name: string): string {
    return mkdtempSync(join(this.folder, `${name.replaceAll(/\W+/g, '-').toLowerCase()}-`));
  }

  /** What the disk alone gives at a fixed pace, in words. */
  pacedFloor(writesPerSecond: number): string {
    const durationMs = this.options.durationMs;
    const { p50Ms, p99Ms, maxMs } = this.#floor.measurePaced({ writesPerSecond, durationMs });
    const figures = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1));
    return `the disk alone at ${writesPerSecond} writes/s: p50 ${figures[0]}, p99 ${figures[1]}, max ${figures[2]} ms`;
  }

  /** Runs one measurement between two measurements of the floor. */
  async sample(work: () => Promise<Outcome>): Promise<Sample> {
    const floorBeforeMs = this.#floor.measure(this.options.floorWrites);
    const outcome = await work();
    // Core and the gateway keep the processors awake for a moment longer; the floor is that of a machine that nobody keeps awake.
    await sleep(REST_MS);
    const floorAfterMs = this.#floor.measure(this.options.floorWrites);
    return {
      ...outcome,
      floorBeforeMs,
      floorAfterMs,
      isVoid: isVoid({ beforeMs: floorBeforeMs, afterMs: floorAfterMs }),
      loadAverage: loadAverage(),
    };
  }

  /** Takes one more sample of a measurement; a fault ends that measurement and is reported, the others go on. */
  async add(measurement: Measurement, work: () => Promise<Outcome>): Promise<void> {
    if (measurement.fault !== null) return;
    try {
      measurement.samples.push(await this.sample(work));
    } catch (error) {
      measurement.fault = error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Takes the samples of entries that are compared with each other: one run of each that does not count, so that just-in-time compilers and caches are
   * warm, then every entry once, then every entry again.
   */
  async takeSamples(entries: readonly Entry[]): Promise<void> {
    const { jitWarmupMs, warmupMs, durationMs, repetitions } = this.options;
    for (const { measurement, isWarmedUp, work } of entries) {
      if (!isWarmedUp) continue;
      await work({ warmupMs: 0, durationMs: jitWarmupMs }).catch((error: unknown) => {
        measurement.fault = String(error);
      });
    }
    for (let repetition = 0; repetition < repetitions; repetition += 1)
      for (const { measurement, work } of entries)
        await this.add(measurement, () => work({ warmupMs, durationMs }));
  }

  /** Tells whoever waits what is being measured. */
  announce(title: string): void {
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    process.stderr.write(`${String(seconds).padStart(4)} s  ${title}\n`);
  }

  wants(caseName: string): boolean {
    return this.options.only?.includes(caseName) ?? true;
  }

  close(): void {
    this.load.close();
    this.#floor.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
