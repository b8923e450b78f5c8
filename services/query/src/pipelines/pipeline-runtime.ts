/**
 * Makes what the process of the pipelines carries out agree with the definitions in force: one generation of each pipeline that is enabled, each in a file of its own. Called
 * behind each change and behind each restart of the process; changes that come while it works are taken up behind it, so there is one hand at a time.
 *
 * A generation is ended before its file is removed, and files that belong to none are removed when the definitions are known: everything in them can be computed again.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import type { PipelineDocument } from './definition/pipeline-definition.ts';
import type { OutboundSettings } from './outbound/outbound-policy.ts';
import type {
  CoreAccess,
  LookUpSource,
  PipelineJob,
  PipelineState,
  RevivedOutput,
} from './run/host-protocol.ts';
import { removePipelineDatabase } from './run/pipeline-database.ts';
import { type Notice, PipelineProcess } from './run/pipeline-process.ts';

/** A pipeline in force. */
export interface ForcedPipeline {
  readonly tenant: string;
  readonly document: PipelineDocument;
}

export interface PipelineRuntimeOptions {
  /** The folder of the files of the pipelines. */
  readonly folder: string;
  readonly outbound: OutboundSettings;
  readonly logger: Logger;
  /** Looks up what an `enrich` asks for. */
  readonly lookUp: (tenant: string, source: LookUpSource, key: string) => Promise<string | null>;
  /** Told before the file of a pipeline is removed. */
  readonly onRemoving: (file: string) => void;
}

const FILE = /^[0-9a-f]+-[0-9a-f]+\.sqlite$/;

export class PipelineRuntime {
  readonly #options: PipelineRuntimeOptions;
  readonly #running = new Map<string, PipelineJob>();
  readonly #states = new Map<string, PipelineState>();
  readonly #failures = new Map<string, string>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #process: PipelineProcess | null = null;
  #wanted: readonly ForcedPipeline[] | null = null;
  #working: Promise<void> | null = null;
  #isDue = false;
  #isReady = false;
  #isClosed = false;

  constructor(options: PipelineRuntimeOptions) {
    this.#options = options;
  }

  /** Begins to carry pipelines out. */
  start(core: CoreAccess): void {
    if (this.#isClosed || this.#process !== null) return;
    const { outbound, logger } = this.#options;
    this.#process = new PipelineProcess({
      job: { core, outbound },
      logger,
      onReady: () => {
        this.#isReady = true;
        this.#work();
      },
      onNotice: (notice) => this.#take(notice),
      onLost: () => {
        this.#isReady = false;
        this.#running.clear();
        this.#states.clear();
        this.#failures.clear();
      },
    });
    if (this.#wanted !== null) this.#startProcess();
  }

  /** The number of the process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Makes what is carried out agree with all definitions in force. */
  reconcile(wanted: readonly ForcedPipeline[]): void {
    this.#wanted = wanted;
    this.#startProcess();
    this.#work();
  }

  /** The file of the generation of a pipeline. */
  fileOf(tenant: string, { id, run }: Pick<PipelineDocument, 'id' | 'run'>): string {
    const name = createHash('sha256').update(keyOf(tenant, id)).digest('hex').slice(0, 32);
    return join(this.#options.folder, `${name}-${run}.sqlite`);
  }

  /** What a pipeline is doing; null while it is not known. */
  state(tenant: string, id: string): PipelineState | null {
    return this.#states.get(keyOf(tenant, id)) ?? null;
  }

  /** Why a pipeline cannot be carried out; null when it can. */
  failure(tenant: string, id: string): string | null {
    return this.#failures.get(keyOf(tenant, id)) ?? null;
  }

  /** Resolves true when a generation has saved everything up to a position, false when that takes too long. */
  async waitFor(pipeline: ForcedPipeline, position: number, timeoutMs: number): Promise<boolean> {
    const endsAt = performance.now() + timeoutMs;
    const key = keyOf(pipeline.tenant, pipeline.document.id);
    for (;;) {
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0 || this.#isClosed) return false;
      const isRunning = this.#running.get(key)?.document.run === pipeline.document.run;
      const question = { kind: 'wait', key, position, timeoutMs: leftMs } as const;
      const answer = isRunning ? await this.#process?.ask(question) : null;
      if (answer?.kind === 'reached' && answer.isReached) return true;
      await pause(Math.min(leftMs, 20));
    }
  }

  /** Tries dead letters again. Returns how many; null when the pipeline is not carried out at the moment. */
  async revive(tenant: string, id: string, output: RevivedOutput): Promise<number | null> {
    const answer = await this.#process?.ask({ kind: 'revive', key: keyOf(tenant, id), output });
    return answer?.kind === 'revived' ? answer.count : null;
  }

  /** Calls back when rows of a pipeline may have changed. Returns how to end that. */
  onSaved(tenant: string, id: string, listener: () => void): () => void {
    const key = keyOf(tenant, id);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners)
        this.#listeners.delete(key);
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
    await this.#process?.close();
  }

  /** A store without pipelines has no process for them. */
  #startProcess(): void {
    if (this.#wanted !== null && this.#wanted.length > 0) this.#process?.start();
  }

  #work(): void {
    this.#isDue = true;
    this.#working ??= this.#agree().finally(() => {
      this.#working = null;
    });
  }

  async #agree(): Promise<void> {
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      const wanted = this.#wanted;
      if (wanted === null) return;
      await this.#stopOthers(wanted);
      if (this.#isReady) this.#runAll(wanted);
      this.#removeOthers(wanted);
    }
  }

  async #stopOthers(wanted: readonly ForcedPipeline[]): Promise<void> {
    const runs = new Map(
      wanted.map(({ tenant, document }) => [keyOf(tenant, document.id), document] as const),
    );
    for (const [key, { document }] of this.#running) {
      const next = runs.get(key);
      // A changed definition is another object; where it comes to the same, the file is kept.
      if (next?.enabled === true && next === document) continue;
      await this.#process?.ask({ kind: 'stop', key });
      this.#running.delete(key);
      this.#states.delete(key);
      this.#failures.delete(key);
      this.#tellSaved(key);
    }
  }

  #runAll(wanted: readonly ForcedPipeline[]): void {
    for (const { tenant, document } of wanted) {
      const key = keyOf(tenant, document.id);
      if (!document.enabled || this.#running.has(key)) continue;
      const job = { key, tenant, document, file: this.fileOf(tenant, document) };
      this.#running.set(key, job);
      this.#process?.tell({ kind: 'run', job });
    }
  }

  #removeOthers(wanted: readonly ForcedPipeline[]): void {
    const { folder, onRemoving, logger } = this.#options;
    const kept = new Set(wanted.map(({ tenant, document }) => this.fileOf(tenant, document)));
    try {
      mkdirSync(folder, { recursive: true });
      for (const name of readdirSync(folder)) {
        const file = join(folder, name);
        if (!FILE.test(name) || kept.has(file)) continue;
        onRemoving(file);
        removePipelineDatabase(file);
      }
    } catch (error) {
      // What cannot be removed now is removed behind the next change.
      logger.error({ err: error, folder }, 'files of pipelines could not be removed');
    }
  }

  #take(notice: Notice): void {
    if (notice.kind === 'look_up') {
      void this.#lookUp(notice);
      return;
    }
    const { key } = notice;
    if (!this.#running.has(key)) return;
    if (notice.kind === 'state') this.#noteState(key, notice.state);
    else if (notice.kind === 'saved') this.#tellSaved(key);
    else {
      this.#failures.set(key, notice.message);
      const { message } = notice;
      this.#options.logger.error({ pipeline: key, message }, 'a pipeline cannot be carried out');
    }
  }

  #noteState(key: string, state: PipelineState): void {
    this.#states.set(key, state);
    this.#failures.delete(key);
  }

  async #lookUp(asked: Extract<Notice, { kind: 'look_up' }>): Promise<void> {
    const { request, tenant, source, key } = asked;
    let found: { readonly text: string | null; readonly fault: string | null };
    try {
      found = { text: await this.#options.lookUp(tenant, source, key), fault: null };
    } catch (error) {
      // Told to the pipeline, which tries again.
      found = { text: null, fault: error instanceof Error ? error.message : String(error) };
    }
    this.#process?.tell({ kind: 'found', request, ...found });
  }

  #tellSaved(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
