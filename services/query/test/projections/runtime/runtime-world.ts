import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { position } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import { ProjectionRuns } from '../../../src/projections/runtime/projection-runs.ts';
import { compileProjection } from '../../../src/projections/kinds/compile-projection.ts';
import type { Host, HostOptions } from '../../../src/projections/runtime/host-process.ts';
import type { HostCommand, HostReport } from '../../../src/projections/runtime/host-protocol.ts';
import { ProjectionHost } from '../../../src/projections/runtime/projection-host.ts';
import type { ProjectionState } from '../../../src/projections/projection-runtime.ts';
import { LogWriter } from '../log-writer.ts';
import { INTERNAL_TOKEN, StandInCore } from '../../gateway/stand-in-core.ts';

export const TENANT = 'acme';
/** Far above what a busy machine takes: a wait ends when what it waits for holds. */
const WAIT_MS = 60_000;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

export type DefinitionChange = Partial<ProjectionDefinition>;

export interface WorldOptions {
  readonly stalledAfterMs?: number;
  /** True for processes of their own, as in the service; otherwise workers are carried out in the process of the test, which starts quicker. */
  readonly hasProcesses?: boolean;
}

/** A runtime over a stand-in core, and the definitions that it is to carry out. */
export class RuntimeWorld {
  core: StandInCore;
  readonly folder: string;
  readonly stalledAfterMs: number;
  runs: ProjectionRuns;
  readonly #definitions = new Map<string, ProjectionDefinition>();
  #changes = 0;

  readonly #hasProcesses: boolean;

  private constructor(core: StandInCore, options: WorldOptions) {
    this.core = core;
    this.stalledAfterMs = options.stalledAfterMs ?? 30_000;
    this.#hasProcesses = options.hasProcesses ?? false;
    this.folder = mkdtempSync(join(tmpdir(), 'allsource-projections-'));
    this.runs = this.#start();
  }

  static async open(options: WorldOptions = {}): Promise<RuntimeWorld> {
    const core = new StandInCore();
    await core.listen();
    return new RuntimeWorld(core, options);
  }

  /** Defines a projection, or changes it, and has that carried out. */
  define(name: string, change: DefinitionChange = {}): void {
    const now = ++this.#changes;
    const before = this.#definitions.get(name) ?? newDefinition(name, now);
    this.#definitions.set(name, { ...before, ...change, changed_position: now });
    this.reconcile();
  }

  undefine(name: string): void {
    this.#definitions.delete(name);
    this.reconcile();
  }

  definition(name: string): ProjectionDefinition {
    return this.#definitions.get(name) ?? newDefinition(name, 0);
  }

  reconcile(): void {
    this.runs.reconcile([...this.#definitions.values()]);
  }

  state(name: string): ProjectionState {
    const state = this.runs.status(TENANT, name);
    if (state === null) throw new RangeError(`no projection ${name}`);
    return state;
  }

  /** Waits until what is read is true at the end of the log. */
  async caughtUp(name: string): Promise<void> {
    await until(`${name} is read`, () => this.state(name).live_build !== null);
    const signal = AbortSignal.timeout(WAIT_MS);
    const head = position(this.core.log.head);
    if (await this.runs.waitFor(TENANT, name, head, signal)) return;
    throw new RangeError(`${name} did not reach ${head}: ${JSON.stringify(this.state(name))}`);
  }

  /** All states, by key. */
  states(name: string): Record<string, unknown> {
    const { states } = this.runs.page(TENANT, name, { limit: 100_000 });
    return Object.fromEntries(states.map(({ key, state }) => [key, JSON.parse(state) as unknown]));
  }

  /** Ends the runtime and starts it again on the same files. */
  async restart(between: () => void = () => {}): Promise<void> {
    await this.runs.close();
    between();
    this.runs = this.#start();
    this.reconcile();
  }

  /** Puts a core with another log, still empty, in the place of this one. */
  async replaceCore(): Promise<void> {
    const port = Number(new URL(this.core.url).port);
    await this.core.close();
    this.core = new StandInCore(new LogWriter('another'));
    await this.core.listen(port);
  }

  async close(): Promise<void> {
    await this.runs.close();
    await this.core.close();
    rmSync(this.folder, { recursive: true });
  }

  #start(): ProjectionRuns {
    return new ProjectionRuns({
      folder: join(this.folder, 'projections'),
      core: { coreUrl: this.core.url, internalToken: INTERNAL_TOKEN },
      hosts: this.#hasProcesses ? 1 : 2,
      ...(this.#hasProcesses ? {} : { startHost: (options) => new HostHere(options) }),
      head: () => this.core.log.head,
      logger: SILENT,
      stalledAfterMs: this.stalledAfterMs,
    });
  }
}

/** A host in this process. Messages are copied, as between processes. */
class HostHere implements Host {
  readonly pid = undefined;
  readonly #host: ProjectionHost;
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#host = new ProjectionHost({
      compile: compileProjection,
      nowMs: Date.now,
      send: (report) => this.#pass(structuredClone(report)),
    });
  }

  send(command: HostCommand): void {
    const copied = structuredClone(command);
    setImmediate(() => this.#host.take(copied));
  }

  async stop(): Promise<void> {
    await this.#host.close();
    this.#options.onEnded('code 0');
  }

  #pass(report: HostReport): void {
    setImmediate(() => {
      if (report.kind !== 'alive') this.#options.onReport(report);
    });
  }
}

export async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > endMs) throw new RangeError(`it did not come about that ${what}`);
    await sleep(5);
  }
}

function newDefinition(name: string, at: number): ProjectionDefinition {
  return {
    tenant: TENANT,
    name,
    type: 'event_counter',
    event_types: [],
    description: null,
    metadata: null,
    config: {
      batch_size: 100,
      enable_checkpoints: true,
      checkpoint_interval: 50,
      parallel_processing: false,
      max_concurrency: 4,
    },
    on_fault: { policy: 'park', retries: 1 },
    definition: { by: 'entity' },
    wanted: 'running',
    build: 1,
    pinned_build: null,
    created_position: at,
    changed_position: at,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
  };
}
