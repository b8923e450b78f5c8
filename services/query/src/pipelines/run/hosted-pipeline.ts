/**
 * One pipeline in its process: its file, what follows the log for it, what writes and delivers. Everything of it is its own, so one that is slow, waits for somebody
 * outside or fails keeps no other from going on. It opens in this order: the file, the search for what was written before, then the operators and the
 * senders together.
 */
import type { Logger } from '@allsource/service-kit/observability';
import { assert } from '@allsource/shared/lang';
import type { Clock } from '@allsource/shared/model';
import type { FollowedFeed, SharedFeed } from '../../projections/runtime/shared-feed.ts';
import { emittedTypes } from '../definition/output-definition.ts';
import { readyPipeline } from '../definition/parse-pipeline.ts';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import type { OutboundPolicy } from '../outbound/outbound-policy.ts';
import { OutboundRequests } from '../outbound/outbound-requests.ts';
import type { CoreAppender } from './core-appender.ts';
import { searchEmissions } from './emission-search.ts';
import { Emitter } from './emitter.ts';
import type {
  CoreAccess,
  LookUpSource,
  PipelineJob,
  PipelineState,
  RevivedOutput,
} from './host-protocol.ts';
import { Lookups } from './lookups.ts';
import { Outbox } from './outbox.ts';
import { PipelineFile } from './pipeline-file.ts';
import { PipelineRun } from './pipeline-run.ts';
import { persist } from './persist.ts';
import { WebhookSender } from './webhook-sender.ts';

export interface HostedPipelineOptions {
  readonly job: PipelineJob;
  readonly core: CoreAccess;
  /** The connection that all pipelines of the process share that are near the end of the log. */
  readonly feed: SharedFeed;
  readonly appender: CoreAppender;
  readonly policy: OutboundPolicy;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Asks the service for what lies in its stores. */
  readonly ask: (source: LookUpSource, key: string) => Promise<string | null>;
  /** Told when rows may have changed. */
  readonly onSaved: () => void;
  /** Told when the file is damaged: it is to be closed and opened again, which makes it anew. */
  readonly onDamaged: () => void;
}

export class HostedPipeline {
  readonly #options: HostedPipelineOptions;
  readonly #pipeline: Pipeline;
  readonly #file: PipelineFile;
  readonly #outbox: Outbox;
  readonly #requests: OutboundRequests;
  readonly #run: PipelineRun;
  readonly #emitter: Emitter;
  readonly #sender: WebhookSender;
  readonly #stopping = new AbortController();
  #opening: Promise<void> | null = null;
  #feed: FollowedFeed | null = null;
  #fault: string | null = null;

  /** Opens the file of the pipeline. Throws when the definition or the file cannot be used. */
  constructor(options: HostedPipelineOptions) {
    const { job, appender, policy, clock, random, ask } = options;
    this.#options = options;
    this.#pipeline = readyPipeline(job.tenant, job.document);
    this.#file = PipelineFile.open(job.file, this.#pipeline.startAfter);
    const pipeline = this.#pipeline;
    const outbox = new Outbox(this.#file.database);
    this.#outbox = outbox;
    this.#requests = new OutboundRequests({ policy });
    const nowMs = () => clock.nowMicros() / 1_000;
    const lookups = new Lookups({ requests: this.#requests, ask, nowMs });
    this.#run = new PipelineRun({
      pipeline,
      file: this.#file,
      outbox,
      lookupOf: (definition) => lookups.of(definition),
      onSaved: () => this.#noteSaved(),
      onDamaged: options.onDamaged,
    });
    const onSettled = () => {
      this.#run.noteDrained();
    };
    this.#emitter = new Emitter({
      pipeline,
      outbox,
      appender,
      search: () => this.#search(),
      onSettled,
    });
    this.#sender = new WebhookSender({
      pipeline,
      outbox,
      requests: this.#requests,
      clock,
      random,
      onSettled,
    });
  }

  start(): void {
    this.#opening ??= this.#open();
  }

  get state(): PipelineState {
    const position = this.#run.appliedPosition;
    const status = this.#feed?.status ?? null;
    const head = Math.max(position, status?.knownHead ?? 0);
    const counts = this.#outbox.counts();
    const waiting =
      this.#fault ??
      status?.fault ??
      this.#emitter.fault ??
      this.#run.waiting ??
      this.#sender.fault;
    return {
      position,
      head,
      hasCaughtUp: position >= head && status?.hasCaughtUp === true,
      waiting,
      ...counts,
    };
  }

  /** Resolves true when everything up to a position is saved, false after `timeoutMs`. */
  waitFor(wanted: number, timeoutMs: number): Promise<boolean> {
    return this.#run.waitFor(wanted, timeoutMs);
  }

  /** Tries dead letters again. Returns how many. */
  revive(output: RevivedOutput): number {
    const count = this.#outbox.revive(output);
    this.#run.noteDrained();
    this.#wake();
    return count;
  }

  /** Ends it. What it has saved stays. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#run.stop();
    // The sender first, so that it takes no delivery that is cut off here for one that has failed.
    const sent = this.#sender.close();
    this.#requests.close();
    await this.#opening;
    await Promise.all([this.#feed?.close(), this.#emitter.close(), sent]);
    this.#file.close();
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopping;
    await persist(() => this.#search(), {
      signal,
      onFault: (fault) => {
        this.#fault = fault;
      },
    });
    if (signal.aborted) return;
    assert(this.#fault === null, 'a search that has ended');
    const { feed, core } = this.#options;
    this.#feed = feed.follow(core, this.#run);
    this.#emitter.start();
    this.#wake();
  }

  async #search(): Promise<void> {
    if (emittedTypes(this.#pipeline.output).length === 0) return;
    const { core, logger } = this.#options;
    const { signal } = this.#stopping;
    await searchEmissions({ pipeline: this.#pipeline, file: this.#file, core, logger, signal });
  }

  #noteSaved(): void {
    this.#wake();
    this.#options.onSaved();
  }

  #wake(): void {
    this.#emitter.wake();
    this.#sender.wake();
  }
}
