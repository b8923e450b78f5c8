/**
 * Carries out the projections that tenants have defined, in processes of their own (host-pool.ts), and reads what they have computed.
 *
 * Everything here is deletable: definitions are in the log, states are folded from it. What this keeps on disk beside the states says which build is read (projection-record.ts).
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import { problem } from '@allsource/shared/errors';
import { formatTimestamp, micros, type Position } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type {
  ParkedPage,
  ProjectionRuntime,
  ProjectionState,
  RetriedParked,
  SkippedEvent,
  StatesPage,
  StatesWanted,
} from '../projection-runtime.ts';
import type { Build, CoreAccess } from './build.ts';
import { HostPool } from './host-pool.ts';
import { type Host, type HostOptions, HostProcess } from './host-process.ts';
import { projectionFolder } from './projection-record.ts';
import { SupervisedProjection } from './supervised-projection.ts';

const LOOK_MS = 1_000;
const STALLED_AFTER_MS = 30_000;

export interface ProjectionRunsOptions {
  /** Where the files of all projections are; nothing else is there. */
  readonly folder: string;
  readonly core: CoreAccess;
  /** Processes for definitions without code of their owner, and again for those with it. */
  readonly hosts: number;
  /** The newest head of the log that this service has heard of. */
  readonly head: () => number;
  readonly logger: Logger;
  /** Starts a process; tests may carry workers out in their own. */
  readonly startHost?: (options: HostOptions) => Host;
  readonly nowMs?: () => number;
  readonly stalledAfterMs?: number;
  /** How long ago the first event behind a position was recorded; null where that is not known. */
  readonly behindMs?: (position: number, nowMs: number) => number | null;
}

export class ProjectionRuns implements ProjectionRuntime {
  readonly #options: ProjectionRunsOptions;
  readonly #pool: HostPool;
  readonly #projections = new Map<string, SupervisedProjection>();
  /** Removals under way, by folder. */
  readonly #removing = new Map<string, Promise<void>>();
  readonly #looks: NodeJS.Timeout;
  #isSwept = false;
  #closing: Promise<void> | null = null;

  constructor(options: ProjectionRunsOptions) {
    this.#options = options;
    const { hosts: sharedMax, startHost = (host) => new HostProcess(host) } = options;
    this.#pool = new HostPool({ sharedMax, start: startHost });
    mkdirSync(options.folder, { recursive: true });
    this.#looks = setInterval(() => {
      for (const projection of this.#projections.values()) projection.look();
    }, LOOK_MS);
  }

  /** The ids of the processes, for tests and figures. */
  get hostPids(): number[] {
    return this.#pool.pids;
  }

  reconcile(definitions: readonly ProjectionDefinition[]): void {
    if (this.#closing !== null) return;
    const wanted = new Map(definitions.map((one) => [keyOf(one.tenant, one.name), one]));
    for (const [key, projection] of this.#projections) {
      const definition = wanted.get(key);
      const { created_position: made } = projection.definition;
      if (definition?.created_position !== made) this.#drop(key, projection);
    }
    this.#sweep(definitions);
    for (const [key, definition] of wanted) this.#carryOut(key, definition);
  }

  status(tenant: string, name: string): ProjectionState | null {
    return this.#projections.get(keyOf(tenant, name))?.state() ?? null;
  }

  read(tenant: string, name: string, key: string): { position: number; state: string | null } {
    return this.#readable(tenant, name).reader.read(key);
  }

  page(tenant: string, name: string, wanted: StatesWanted): StatesPage {
    const build = this.#readable(tenant, name);
    return { ...build.reader.page(wanted), build: build.spec.build };
  }

  keys(tenant: string, name: string, wanted: StatesWanted) {
    return this.#readable(tenant, name).reader.keys(wanted);
  }

  count(tenant: string, name: string): number | null {
    const { progress, spec } = this.#readable(tenant, name);
    return spec.workers === 1 || !progress.hasSharedKeys ? progress.shownRows : null;
  }

  // oxlint-disable-next-line eslint/max-params -- which projection, and a wait.
  waitFor(tenant: string, name: string, at: Position, signal: AbortSignal): Promise<boolean> {
    return this.#known(tenant, name).waitFor(at, signal);
  }

  parked(
    tenant: string,
    name: string,
    { limit, offset }: { readonly limit: number; readonly offset: number },
  ): ParkedPage {
    const build = this.#known(tenant, name).read;
    if (build === null) return { parked: [], total: 0 };
    const parked = build.reader.parked(limit, offset).map((row) => ({
      entity_id: row.entity,
      position: row.position,
      event_id: row.eventId,
      event_type: row.eventType,
      reason: row.reason,
      attempts: row.attempts,
      parked_at: timeText(row.parkedMs),
      events_waiting: row.eventsWaiting,
    }));
    return { parked, total: build.progress.parkedEntities };
  }

  skipped(tenant: string, name: string, limit: number): SkippedEvent[] {
    const build = this.#known(tenant, name).read;
    return (build?.reader.skipped(limit) ?? []).map((row) => ({
      position: row.position,
      event_id: row.eventId,
      entity_id: row.entity,
      reason: row.reason,
      skipped_at: timeText(row.skippedMs),
    }));
  }

  async retryParked(tenant: string, name: string, entity: string | null): Promise<RetriedParked> {
    const { read: build, definition } = this.#known(tenant, name);
    if (build !== null && definition.wanted !== 'created' && definition.wanted !== 'stopped')
      return await build.retryParked(entity);
    throw problem(
      'operation_ended',
      `The projection ${name} is ${definition.wanted}: start it, then its parked events can be folded again.`,
    );
  }

  async forget(tenant: string, name: string): Promise<void> {
    await this.#known(tenant, name).forget();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#looks);
    await Promise.all([...this.#projections.values()].map((one) => one.close()));
    await Promise.all(this.#removing.values());
    await this.#pool.close();
  }

  #carryOut(key: string, definition: ProjectionDefinition): void {
    const known = this.#projections.get(key);
    if (known !== undefined) {
      known.change(definition);
      return;
    }
    const { core, head, logger, nowMs = Date.now } = this.#options;
    const { stalledAfterMs = STALLED_AFTER_MS, behindMs = () => null } = this.#options;
    const projection = new SupervisedProjection(definition, {
      folder: projectionFolder(this.#options.folder, definition),
      core,
      pool: this.#pool,
      head,
      logger,
      nowMs,
      stalledAfterMs,
      behindMs,
    });
    this.#projections.set(key, projection);
  }

  #drop(key: string, projection: SupervisedProjection): void {
    this.#projections.delete(key);
    const folder = projectionFolder(this.#options.folder, projection.definition);
    const removed = projection
      .close()
      .then(() => rmSync(folder, { recursive: true, force: true }))
      .catch((error: unknown) =>
        this.#options.logger.error({ err: error }, 'the files of a projection were not removed'),
      )
      .finally(() => this.#removing.delete(folder));
    this.#removing.set(folder, removed);
  }

  /** At the first time: removes what belongs to no projection that is defined. */
  #sweep(definitions: readonly ProjectionDefinition[]): void {
    if (this.#isSwept) return;
    this.#isSwept = true;
    const { folder } = this.#options;
    const kept = new Set(definitions.map((one) => basename(projectionFolder(folder, one))));
    for (const name of readdirSync(folder))
      if (!kept.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }

  #known(tenant: string, name: string): SupervisedProjection {
    const projection = this.#projections.get(keyOf(tenant, name));
    if (projection !== undefined) return projection;
    throw problem('not_found', `There is no projection ${name}.`);
  }

  #readable(tenant: string, name: string): Build {
    return this.#known(tenant, name).readable();
  }
}

function keyOf(tenant: string, name: string): string {
  return JSON.stringify([tenant, name]);
}

function timeText(ms: number): string {
  return formatTimestamp(micros(Math.round(ms * 1_000)));
}
