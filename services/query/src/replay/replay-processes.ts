/** The processes of one replay, each with its share of the keys, told and asked as one. */
import { join } from 'node:path';
import type { Projection } from '../projections/projection.ts';
import type { ComputedStates } from './replay-protocol.ts';
import type { ReplayRequest } from './replay-record.ts';
import { ReplayProcess } from './replay-process.ts';

/** How core's log is reached. */
export interface CoreAccess {
  readonly coreUrl: string;
  readonly internalToken: string;
}

export interface ReplayProcessesOptions {
  readonly id: string;
  readonly request: ReplayRequest;
  readonly projections: readonly Projection[];
  /** The generation to build; null for a filtered replay. */
  readonly generation: number | null;
  readonly core: CoreAccess;
  /** The folder of the files that replays are built in. */
  readonly folder: string;
  readonly projectionsFile: string;
  /** Events that a process folds in a second, at most. */
  readonly eventsPerSecond: number;
  /** Matching events folded by all processes together. */
  readonly onProgress: (processed: number) => void;
  readonly onWaiting: (reason: string | null) => void;
  /** One of the processes had next to no processor time and goes on at a higher priority. */
  readonly onStarved: () => void;
}

export class ReplayProcesses {
  readonly #options: ReplayProcessesOptions;
  readonly #processes: readonly ReplayProcess[];
  readonly #processed: number[];

  constructor(options: ReplayProcessesOptions) {
    this.#options = options;
    const { workers } = options.request.config;
    this.#processed = Array.from({ length: workers }, () => 0);
    this.#processes = this.#processed.map((_, index) => this.#start(index));
  }

  /** Folds up to a position, which all processes then stand at. */
  async foldTo(limit: number): Promise<number> {
    const answers = await Promise.all(
      this.#processes.map((one) => one.tell({ kind: 'fold', limit })),
    );
    const positions = answers.map((answer) => (answer.kind === 'reached' ? answer.position : 0));
    const reached = Math.max(...positions);
    // After a crash one process may be ahead of the others and of the live projections.
    if (positions.every((position) => position === reached)) return reached;
    return await this.foldTo(reached);
  }

  /** Copies what was folded into the generation. Returns the keys by projection; null when that was done before a restart. */
  async copy(): Promise<ReadonlyMap<string, number> | null> {
    const answers = await Promise.all(this.#processes.map((one) => one.tell({ kind: 'copy' })));
    const counts = new Map<string, number>();
    for (const answer of answers) {
      if (answer.kind !== 'copied' || answer.keyCounts === null) return null;
      for (const [name, count] of Object.entries(answer.keyCounts))
        counts.set(name, (counts.get(name) ?? 0) + count);
    }
    return counts;
  }

  /** What the processes have computed, put together. */
  async compute(
    keys: Readonly<Record<string, readonly string[]>>,
  ): Promise<ReadonlyMap<string, ComputedStates>> {
    const answers = await Promise.all(
      this.#processes.map((one) => one.tell({ kind: 'compute', keys })),
    );
    const sums = new Map<string, ComputedStates>();
    for (const answer of answers) {
      if (answer.kind !== 'computed') continue;
      for (const part of answer.computed) {
        const sum = sums.get(part.projection);
        sums.set(part.projection, sum === undefined ? part : together(sum, part));
      }
    }
    return sums;
  }

  /** Ends the processes. What they have saved stays for the next start. */
  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.stop()));
  }

  #shadowFile(share: number): string {
    return join(this.#options.folder, `${this.#options.id}-${share}.sqlite`);
  }

  #start(index: number): ReplayProcess {
    const { request, projections, generation, core, projectionsFile, eventsPerSecond } =
      this.#options;
    const { workers, batchEvents, progressEvents } = request.config;
    return new ReplayProcess({
      job: {
        shadowFile: this.#shadowFile(index),
        projectionsFile,
        ...core,
        tenant: request.tenant,
        projections: projections.map(({ name }) => name),
        filter: request.filter,
        share: { index, count: workers },
        generation,
        batchEvents,
        eventsPerSecond,
        progressEvents: progressEvents ?? Number.POSITIVE_INFINITY,
      },
      onProgress: (processed) => {
        this.#processed[index] = processed;
        this.#options.onProgress(this.#processed.reduce((sum, count) => sum + count, 0));
      },
      onWaiting: this.#options.onWaiting,
      onStarved: this.#options.onStarved,
    });
  }
}

function together(one: ComputedStates, other: ComputedStates): ComputedStates {
  const digest = Buffer.from(one.digest, 'hex');
  for (const [i, byte] of Buffer.from(other.digest, 'hex').entries())
    digest[i] = (digest[i] as number) ^ byte;
  return {
    projection: one.projection,
    keyCount: one.keyCount + other.keyCount,
    digest: digest.toString('hex'),
    states: [...one.states, ...other.states],
  };
}
