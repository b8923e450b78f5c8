/**
 * The builds of one projection: which one is read, which one is made, and the switch between them.
 *
 * Promise: what is read is one whole build at a time, which has reached the end of the log once. A newer one is built beside it from the first event, compared with it at one
 * position, and read from one moment to the next; the record of that is durable before anybody reads it. The build before is kept, and for a while followed, so that a rollback
 * reads it at once; older ones are deleted.
 *
 * After a crash the record names the build that was read, and each file its own position. Without the record the build that the definition asks for is read when it has reached
 * the end of the log; others are deleted, because nothing says what they computed.
 */
import type { BuildComparison } from '../projection-runtime.ts';
import { Build, type CoreAccess } from './build.ts';
import { type BuildSpec, buildId, specOf, taskConfigOf } from './build-spec.ts';
import { compareBuilds } from './compare-builds.ts';
import type { HostPool } from './host-pool.ts';
import { mergerOf } from './lazy-merger.ts';
import {
  type ProjectionRecord,
  type RecordedBuild,
  readRecord,
  writeRecord,
} from './projection-record.ts';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import type { ProjectionDefinition } from '@allsource/shared/protocol';

/** How long the build before is followed, so that a rollback costs nothing; later it has to catch up first. */
const PREVIOUS_FOLLOWED_MS = 3_600_000;

export interface BuildsOptions {
  readonly folder: string;
  readonly core: CoreAccess;
  readonly pool: HostPool;
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly onReport: () => void;
}

export class BuildsOfProjection {
  readonly #options: BuildsOptions;
  #definition: ProjectionDefinition;
  #record: ProjectionRecord;
  readonly #builds = new Map<string, Build>();
  #comparing: { readonly id: string; readonly stop: AbortController } | null = null;
  /** Builds whose files are being removed: none of the same name is begun before that is done. */
  readonly #removing = new Map<string, Promise<void>>();

  constructor(definition: ProjectionDefinition, options: BuildsOptions) {
    this.#options = options;
    this.#definition = definition;
    this.#record = readRecord(options.folder, definition);
    for (const recorded of Object.values(this.#record.builds)) this.#open(recorded);
    this.#sweep();
  }

  /** The build that is read; null while none may be. */
  get live(): Build | null {
    const build = this.#builds.get(this.#record.live ?? '');
    return build?.isComplete === true ? build : null;
  }

  /** The build that the definition asks for; null while it has never been started. */
  get target(): Build | null {
    return this.#builds.get(buildId(specOf(this.#definition))) ?? null;
  }

  /** The build that was read before the live one. */
  get previous(): Build | null {
    return this.#builds.get(this.#record.previous ?? '') ?? null;
  }

  /** The build that a rollback asks for; null where it asks for none that is kept. */
  get pinned(): Build | null {
    const { pinned_build: pinned } = this.#definition;
    if (pinned === null) return null;
    const all = [...this.#builds.values()].filter(({ spec }) => spec.build === pinned);
    return all.find(({ isComplete }) => isComplete) ?? all[0] ?? null;
  }

  /** The newest first. */
  get all(): readonly Build[] {
    return [...this.#builds.values()].toSorted((one, other) => other.spec.build - one.spec.build);
  }

  /** What was noted of a build. */
  noted(id: string): Pick<RecordedBuild, 'compared' | 'note'> {
    return this.#record.builds[id] ?? { compared: null, note: null };
  }

  /** The build that was switched to, while it may not be read: it is being built again. */
  get lost(): Build | null {
    return this.live === null ? (this.#builds.get(this.#record.live ?? '') ?? null) : null;
  }

  /** Does what the definition, and what has come of the builds, ask for. Idempotent. */
  settle(definition: ProjectionDefinition): void {
    if (definition !== this.#definition) this.#take(definition);
    if (definition.wanted !== 'created' && this.target === null) this.#begin(specOf(definition));
    this.#beginPinned();
    this.#choose();
    this.#dropOthers();
    for (const build of this.#builds.values()) this.#direct(build);
  }

  /** Deletes everything and begins anew. */
  async forget(): Promise<void> {
    this.#comparing?.stop.abort();
    for (const build of this.#builds.values()) this.#remove(build);
    this.#write({ live: null, previous: null, builds: {} });
    await this.#removed();
  }

  async close(): Promise<void> {
    this.#comparing?.stop.abort();
    await Promise.all([...this.#builds.values()].map((build) => build.close()));
    await this.#removed();
  }

  #take(definition: ProjectionDefinition): void {
    this.#definition = definition;
    const config = taskConfigOf(definition);
    for (const build of this.#builds.values()) build.tune(config);
  }

  async #removed(): Promise<void> {
    await Promise.all(this.#removing.values());
  }

  /** Removes what belongs to no build that is known, such as after the loss of the record. */
  #sweep(): void {
    const { folder } = this.#options;
    const known = new Set([...this.#builds.keys(), buildId(specOf(this.#definition))]);
    if (!existsSync(folder)) return;
    for (const file of readdirSync(folder)) {
      const [id = ''] = file.split('.', 1);
      if (file.includes('.sqlite') && !known.has(id)) rmSync(join(folder, file), { force: true });
    }
  }

  #begin(spec: BuildSpec): void {
    if (this.#removing.has(buildId(spec))) return;
    const recorded = { ...spec, compared: null, note: null };
    this.#write({ builds: { ...this.#record.builds, [buildId(spec)]: recorded } });
    this.#open(recorded);
  }

  /** Builds again what a rollback reads, where it was lost. */
  #beginPinned(): void {
    const { earlier = [], pinned_build: wanted } = this.#definition;
    const computed =
      this.pinned === null ? earlier.find(({ build }) => build === wanted) : undefined;
    if (computed !== undefined) this.#begin(specOf({ ...this.#definition, ...computed }));
  }

  #open(spec: BuildSpec): void {
    const { folder, core, pool, onReport } = this.#options;
    const { tenant, name } = this.#definition;
    const build = new Build({
      spec,
      tenant,
      name: `${tenant}/${name}`,
      folder,
      core,
      config: taskConfigOf(this.#definition),
      pool,
      merger: mergerOf(spec),
      onReport,
    });
    this.#builds.set(build.id, build);
  }

  #choose(): void {
    const { pinned, target } = this;
    if (pinned !== null) {
      if (pinned.isComplete && pinned.id !== this.#record.live) this.#switchTo(pinned, null, null);
      return;
    }
    if (target === null || target.id === this.#record.live || !target.isComplete) return;
    const live = this.live;
    if (live === null) return this.#switchTo(target, null, null);
    const isNoted = this.noted(target.id).compared !== null || this.noted(target.id).note !== null;
    if (!isNoted && live.spec.build !== target.spec.build) return this.#compare(live, target);
    if (target.folded >= live.folded || !live.isFollowing || live.progress.failure !== null) {
      const { compared, note } = this.noted(target.id);
      this.#switchTo(target, compared, note);
    }
  }

  /** Compares once; what comes of it is noted, and the switch follows. */
  #compare(live: Build, target: Build): void {
    if (this.#comparing !== null) return;
    const { failure } = live.progress;
    if (failure !== null || !live.isFollowing || !target.isFollowing) {
      const why = failure === null ? 'does not follow the log' : 'has failed';
      this.#note(target, null, `not compared: build ${live.spec.build} ${why}`);
      return this.#choose();
    }
    void this.#compareBoth(live, target);
  }

  async #compareBoth(live: Build, target: Build): Promise<void> {
    const stop = new AbortController();
    this.#comparing = { id: target.id, stop };
    try {
      const compared = await compareBuilds(live, target, stop.signal);
      const note = compared === null ? 'not compared: the builds did not meet' : null;
      if (!stop.signal.aborted) this.#note(target, compared, note);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'builds of a projection were not compared');
    } finally {
      this.#comparing = null;
      this.#options.onReport();
    }
  }

  #note(build: Build, compared: BuildComparison | null, note: string | null): void {
    const recorded = this.#record.builds[build.id];
    if (recorded === undefined) return;
    const builds = { ...this.#record.builds, [build.id]: { ...recorded, compared, note } };
    this.#write({ builds });
  }

  #switchTo(build: Build, compared: BuildComparison | null, note: string | null): void {
    const { live, previous } = this.#record;
    const before = this.#builds.get(live ?? '');
    // Another number of workers is the same build made anew.
    const isOther = before !== undefined && before.spec.build !== build.spec.build;
    const recorded = { ...(this.#record.builds[build.id] ?? build.spec), compared, note };
    this.#write({
      live: build.id,
      previous: isOther ? live : previous === build.id ? null : previous,
      switchedMs: this.#options.nowMs(),
      builds: { ...this.#record.builds, [build.id]: recorded },
    });
    const { tenant, name } = this.#definition;
    this.#options.logger.info(
      { tenant, projection: name, build: build.spec.build, before: before?.spec.build ?? null },
      'a build of a projection is read from now on',
    );
  }

  /** Follows what is wanted, and holds the rest. */
  #direct(build: Build): void {
    const { wanted } = this.#definition;
    const isOld = build === this.previous && build !== this.target && build !== this.live;
    const ageMs = this.#options.nowMs() - this.#record.switchedMs;
    const isPinned = build === this.pinned;
    if (wanted === 'running' && (!isOld || isPinned || ageMs < PREVIOUS_FOLLOWED_MS))
      build.follow();
    else if (wanted === 'paused') build.hold();
    else build.release();
  }

  /** Only what is read, made, pinned or was read before is kept. */
  #dropOthers(): void {
    const kept = new Set(
      [this.target, this.pinned, this.previous, this.#builds.get(this.#record.live ?? '')].map(
        (build) => build?.id,
      ),
    );
    const others = [...this.#builds.values()].filter(({ id }) => !kept.has(id));
    for (const build of others) this.#remove(build);
    if (others.length === 0) return;
    const builds = Object.entries(this.#record.builds).filter(([id]) => kept.has(id));
    this.#write({ builds: Object.fromEntries(builds) });
  }

  #remove(build: Build): void {
    if (this.#comparing?.id === build.id) this.#comparing.stop.abort();
    this.#builds.delete(build.id);
    const removed: Promise<void> = build
      .remove()
      .catch((error: unknown) =>
        this.#options.logger.error({ err: error }, 'a build of a projection could not be removed'),
      )
      .finally(() => {
        this.#removing.delete(build.id);
        this.#options.onReport();
      });
    this.#removing.set(build.id, removed);
  }

  #write(change: Partial<ProjectionRecord>): void {
    const record = { ...this.#record, ...change };
    writeRecord(this.#options.folder, record);
    // Only what is durable is read.
    this.#record = record;
  }
}
