/**
 * The pipelines of all tenants: what is registered, changed and removed becomes a definition in the log, durable before it is answered; what is carried out follows from the
 * definitions in force, here and after each restart.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { Problem, problem } from '@allsource/shared/errors';
import { type Clock, formatTimestamp, type Position } from '@allsource/shared/model';
import type { LogFollower } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import type { Definition, DefinitionDirectory } from '../definitions/definition-directory.ts';
import { requireSettled } from '../definitions/settled-definitions.ts';
import type { DefinitionWriter } from '../definitions/definition-writer.ts';
import { destinationsOf } from './definition/output-definition.ts';
import { requireNoLoop } from './definition/loops.ts';
import {
  type PipelineWish,
  parsePipelineWish,
  readyPipeline,
} from './definition/parse-pipeline.ts';
import type { Pipeline, PipelineDocument, Start } from './definition/pipeline-definition.ts';
import { pipelineIdFault } from './definition/pipeline-id.ts';
import { OutboundPolicy, type OutboundSettings } from './outbound/outbound-policy.ts';
import type { MeasuredPipeline } from '../observability/pipeline-metrics.ts';
import { type Glance, type Observed, statusOf } from './pipeline-report.ts';
import type { PipelineResults } from './pipeline-results.ts';
import type { ForcedPipeline, PipelineRuntime } from './pipeline-runtime.ts';

const RUN_BYTES = 8;

export interface PipelinesOptions {
  readonly directory: DefinitionDirectory;
  /** False while the definitions are being read: what has not been read yet must not be taken for missing. */
  readonly isSettled: () => boolean;
  readonly writer: Pick<DefinitionWriter, 'set' | 'remove'>;
  readonly follower: Pick<LogFollower, 'coreHead'>;
  readonly runtime: PipelineRuntime;
  readonly results: PipelineResults;
  readonly outbound: OutboundSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A pipeline that was registered or changed. */
export interface Registered {
  readonly document: PipelineDocument;
  /** The secrets that were made for its webhooks, by route. Only this answer shows them. */
  readonly madeSecrets: Readonly<Record<string, string>>;
}

export class Pipelines {
  readonly #options: PipelinesOptions;
  readonly #policy: OutboundPolicy;
  /** Documents as they were read; a changed definition is another object. */
  readonly #read = new WeakMap<Definition, PipelineDocument>();

  constructor(options: PipelinesOptions) {
    this.#options = options;
    this.#policy = new OutboundPolicy(options.outbound);
  }

  /** Has carried out what is in force. Called when the definitions have settled and whenever they have changed. */
  carryOut(): void {
    const { directory, runtime } = this.#options;
    runtime.reconcile(directory.all('pipeline').map((definition) => this.#forced(definition)));
  }

  /** The pipelines of a tenant in the order in which they were registered. Throws `starting` while the definitions are being read. */
  ofTenant(tenant: string): ForcedPipeline[] {
    requireSettled(this.#options.isSettled(), 'pipelines');
    const definitions = this.#options.directory.ofTenant('pipeline', tenant);
    return definitions
      .toSorted((a, b) => a.createdPosition - b.createdPosition)
      .map((definition) => this.#forced(definition));
  }

  /** A pipeline. Throws `not_found`, and `starting` while the definitions are being read. */
  one(tenant: string, id: string): ForcedPipeline {
    return this.#forced(this.#known(tenant, id));
  }

  /** Registers a pipeline, or changes the one that has the id. Throws `invalid_body`, and what the log refuses with. */
  async register(tenant: string, body: unknown): Promise<Registered> {
    const { directory } = this.#options;
    const asked = parsePipelineWish(body).id;
    const known = asked === null ? null : directory.find('pipeline', tenant, asked);
    const before = known === null ? null : this.#document(known);
    const wish = parsePipelineWish(body, before?.secrets);
    const id = asked ?? randomUUID();
    this.#require(tenant, { id, sourceEventTypes: wish.source_event_types, ...wish.parsed });
    const document = await this.#documentOf(wish, { id, before });
    await this.#set(tenant, known, document);
    const { madeSecrets } = wish;
    return { document, madeSecrets };
  }

  /** Begins a pipeline anew: nothing of what it has come to is kept. */
  async reset(tenant: string, id: string, start: Start | null): Promise<PipelineDocument> {
    const known = this.#known(tenant, id);
    const before = this.#document(known);
    const startFrom = start ?? before.start_from;
    const document = {
      ...before,
      ...(await this.#nextGeneration(before, startFrom)),
      start_from: startFrom,
      updated_at: this.#now(),
    };
    await this.#set(tenant, known, document);
    return document;
  }

  /** Removes a pipeline and everything that it has come to. What it has written into the log stays. */
  async remove(tenant: string, id: string): Promise<void> {
    const { changedPosition: expectedPosition, name } = this.#known(tenant, id);
    await this.#options.writer.remove({ kind: 'pipeline', tenant, name, expectedPosition });
  }

  /** The file of a pipeline, for reading. */
  fileOf({ tenant, document }: ForcedPipeline): string {
    return this.#options.runtime.fileOf(tenant, document);
  }

  /** What a pipeline is doing. */
  glance({ tenant, document }: ForcedPipeline): Glance {
    const { runtime } = this.#options;
    const { id } = document;
    return { document, state: runtime.state(tenant, id), failure: runtime.failure(tenant, id) };
  }

  /** What a pipeline is doing and has done. */
  observe(pipeline: ForcedPipeline): Observed {
    const { results } = this.#options;
    const file = this.fileOf(pipeline);
    return {
      ...this.glance(pipeline),
      progress: results.progress(file),
      outbox: results.outboxCounts(file),
    };
  }

  /** What all pipelines are doing, for the metrics: as far as their process has said. */
  measured(): MeasuredPipeline[] {
    return this.#options.directory.all('pipeline').map((definition) => {
      const glance = this.glance(this.#forced(definition));
      const { status } = statusOf(glance);
      const { state } = glance;
      const lagEvents = state === null ? 0 : Math.max(0, state.head - state.position);
      return { status, lagEvents, pending: state?.pending ?? 0, dead: state?.dead ?? 0 };
    });
  }

  #known(tenant: string, id: string): Definition {
    const fault = pipelineIdFault(id);
    if (fault !== null) throw problem('invalid_parameter', fault, { parameter: 'pipelineId' });
    requireSettled(this.#options.isSettled(), 'pipelines');
    const found = this.#options.directory.find('pipeline', tenant, id.toLowerCase());
    if (found !== null) return found;
    throw problem('not_found', `There is no pipeline '${id}'.`);
  }

  #require(
    tenant: string,
    pipeline: Pick<Pipeline, 'id' | 'sourceEventTypes' | 'operators' | 'output'>,
  ) {
    this.#requireAllowed(pipeline);
    const others = this.ofTenant(tenant).flatMap(({ document }) => {
      try {
        return [readyPipeline(tenant, document)];
      } catch (error) {
        // One that cannot be carried out writes nothing.
        if (error instanceof Problem) return [];
        throw error;
      }
    });
    requireNoLoop(pipeline, others);
  }

  /** Refuses places outside to which nothing may be sent. Their addresses are looked at again with each request. */
  #requireAllowed({ operators, output }: Pick<Pipeline, 'operators' | 'output'>): void {
    const require = (url: string, pointer: string) => {
      const fault = this.#policy.faultOf(new URL(url.replaceAll('{key}', 'key')));
      if (fault !== null) throw problem('invalid_body', fault, { pointer });
    };
    for (const [i, operator] of operators.entries())
      if (operator.type === 'enrich' && operator.source.kind === 'http')
        require(operator.source.url, `/operators/${i}/source`);
    for (const destination of destinationsOf(output).values())
      if (destination.kind === 'webhook') require(destination.url, '/output');
  }

  async #documentOf(
    wish: PipelineWish,
    { id, before }: { readonly id: string; readonly before: PipelineDocument | null },
  ): Promise<PipelineDocument> {
    const { name, description, source_event_types, operators, enabled, output } = wish;
    const now = this.#now();
    const config = { name, description, source_event_types, operators, enabled, output };
    const isSame = before !== null && isComputedAlike(before, { ...config, ...wish });
    const generation = isSame
      ? { generation: before.generation, run: before.run, start_after: before.start_after }
      : await this.#nextGeneration(before, wish.start_from);
    return {
      id,
      ...config,
      start_from: wish.start_from,
      ...generation,
      secrets: wish.secrets,
      created_at: before?.created_at ?? now,
      updated_at: now,
    };
  }

  async #nextGeneration(
    before: PipelineDocument | null,
    start: Start,
  ): Promise<Pick<PipelineDocument, 'generation' | 'run' | 'start_after'>> {
    const head: Position | 0 = start === 'now' ? await this.#options.follower.coreHead() : 0;
    return {
      generation: (before?.generation ?? 0) + 1,
      run: randomBytes(RUN_BYTES).toString('hex'),
      start_after: head,
    };
  }

  async #set(tenant: string, known: Definition | null, document: PipelineDocument): Promise<void> {
    const expectedPosition = known?.changedPosition ?? 0;
    const target = { kind: 'pipeline', tenant, name: document.id, expectedPosition } as const;
    await this.#options.writer.set(target, JSON.stringify(document));
  }

  #forced(definition: Definition): ForcedPipeline {
    return { tenant: definition.tenant, document: this.#document(definition) };
  }

  #document(definition: Definition): PipelineDocument {
    const known = this.#read.get(definition);
    if (known !== undefined) return known;
    // This service has written it, behind the checksum of its frame.
    const document = JSON.parse(definition.document) as PipelineDocument;
    this.#read.set(definition, document);
    return document;
  }

  #now(): string {
    return formatTimestamp(this.#options.clock.nowMicros());
  }
}

/** True when two documents come to the same, so that the later one goes on where the earlier one stands. */
function isComputedAlike(
  before: PipelineDocument,
  after: Pick<PipelineDocument, 'source_event_types' | 'operators' | 'output' | 'start_from'>,
): boolean {
  const computed = (document: typeof after) =>
    JSON.stringify([
      document.source_event_types,
      document.operators,
      document.output,
      document.start_from,
    ]);
  return computed(before) === computed(after);
}
