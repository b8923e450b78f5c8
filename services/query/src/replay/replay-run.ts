/**
 * Carries out one replay: processes fold the log beside everything that is read, and what they have built is put in place at once.
 *
 * Promise: readers see the old states until the new ones are whole and true at the same position, and from then on the new ones. Killed at any point
 * it is one or the other, and what was folded so far is gone on from.
 *
 * The stages. (1) The processes fold into files of their own until they are near the live projections. (2) They copy that into a generation of the
 * file of the projections that nobody reads, and fold on into it. (3) The live side begins to keep the frames of the tenant that it folds, and the
 * processes fold up to the position where that began. (4) While the live side folds nothing, the kept frames are folded into the generation and it
 * is made live, in one transaction. Frames of (3) are bounded; when they were too many, the processes catch up further and (3) is tried again.
 *
 * A filtered replay has no generation: where its filter means whole keys, step 4 replaces the states of those keys; otherwise it replaces nothing and only
 * says what it has computed (replay-filter.ts).
 *
 * Failure: an error of a process or of the file ends the replay; what readers see is untouched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, must } from '@allsource/shared/lang';
import type { KeptFrames } from '../projections/kept-frames.ts';
import type { Projection } from '../projections/projection.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import type { ProjectionStore } from '../projections/projection-store.ts';
import { foldDelta } from './replay-delta.ts';
import { replayScope } from './replay-filter.ts';
import type { ComputedStates } from './replay-protocol.ts';
import type { ReplayOutcome } from './replay-record.ts';
import { ReplayProcesses, type ReplayProcessesOptions } from './replay-processes.ts';

/** How near to the live projections, in events, a stage ends. */
const SLACK_EVENTS = { beforeCopy: 20_000, beforeSwitch: 1_000 } as const;
/** How often a stage tries to come that near. */
const ROUNDS_MAX = 20;
const SWITCHES_MAX = 20;
/** How long is waited at a time for the live projections to come as far as the replay, which may be ahead after a crash. */
const BEHIND_WAIT_MS = 10;

export interface ReplayRunOptions extends ReplayProcessesOptions {
  readonly folds: ProjectionFolds;
}

export class ReplayRun {
  readonly #options: ReplayRunOptions;
  readonly #processes: ReplayProcesses;
  #isStopped = false;

  constructor(options: ReplayRunOptions) {
    this.#options = options;
    this.#processes = new ReplayProcesses(options);
  }

  /** Carries it out; throws why it cannot be. */
  async carryOut(): Promise<ReplayOutcome[]> {
    const { generation, projections } = this.#options;
    await this.#catchUp(SLACK_EVENTS.beforeCopy);
    if (generation === null) return await this.#finished((kept, at) => this.#replace(kept, at));
    const keyCounts = await this.#processes.copy();
    return await this.#finished(async (kept, at) => {
      const isSwitched = await this.#switch(generation, kept, at);
      return isSwitched ? switchedOutcomes(projections, keyCounts) : null;
    });
  }

  /** Ends the processes. What they have saved stays for the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#processes.stop();
  }

  async #catchUp(slackEvents: number): Promise<void> {
    const { folds } = this.#options;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const limit = folds.appliedPosition;
      await this.#processes.foldTo(limit);
      if (folds.appliedPosition - limit <= slackEvents) return;
    }
  }

  async #finished(
    finish: (kept: KeptFrames, at: number) => Promise<ReplayOutcome[] | null>,
  ): Promise<ReplayOutcome[]> {
    const { folds, request } = this.#options;
    for (let tries = 0; tries < SWITCHES_MAX; tries++) {
      await this.#catchUp(SLACK_EVENTS.beforeSwitch);
      const kept = await folds.keepFrames(request.tenant);
      try {
        const at = await this.#processes.foldTo(kept.after);
        while (folds.appliedPosition < at && !this.#isStopped) await sleep(BEHIND_WAIT_MS);
        const outcomes = await finish(kept, at);
        if (outcomes !== null) return outcomes;
      } finally {
        kept.close();
      }
    }
    throw new RangeError('the log grows faster than the replay can follow it');
  }

  /** Makes the generation live; false when there were too many frames to add to it. */
  #switch(generation: number, kept: KeptFrames, after: number): Promise<boolean> {
    const { folds, request, projections } = this.#options;
    const { tenant } = request;
    return folds.exclusively(async (store) => {
      this.#requireGoingOn();
      const { frames } = kept;
      if (frames === null) return false;
      const stored = (projection: Projection, key: string) =>
        store.state(projection, tenant, { key, generation });
      const delta = { tenant, frames, after, projections, keys: null, stored };
      const states = await foldDelta(delta);
      await store.switchTo({ generation, tenant, projections, states });
      return true;
    });
  }

  #requireGoingOn(): void {
    assert(!this.#isStopped, 'a replay that was stopped changes nothing');
  }

  /** Replaces the keys that a filtered replay was given as a whole. */
  async #replace(kept: KeptFrames, after: number): Promise<ReplayOutcome[] | null> {
    const { folds } = this.#options;
    const keys = Object.fromEntries(
      this.#replacedKeys().map(({ projection, keys: ofIt }) => [projection.name, ofIt]),
    );
    const computed = await this.#processes.compute(keys);
    const isDone = await folds.exclusively(async (store) => {
      this.#requireGoingOn();
      const { frames } = kept;
      if (frames === null) return false;
      await this.#replaceKeys(store, { computed, frames, after });
      return true;
    });
    return isDone ? this.#computedOutcomes(computed) : null;
  }

  async #replaceKeys(
    store: ProjectionStore,
    from: {
      readonly computed: ReadonlyMap<string, ComputedStates>;
      readonly frames: NonNullable<KeptFrames['frames']>;
      readonly after: number;
    },
  ): Promise<void> {
    const { tenant } = this.#options.request;
    const changes = [];
    for (const { projection, keys } of this.#replacedKeys()) {
      const { states } = must(from.computed.get(projection.name), 'a computed projection');
      const byKey = new Map(states.map(({ key, state }) => [key, { state }]));
      const changed = await foldDelta({
        tenant,
        frames: from.frames,
        after: from.after,
        projections: [projection],
        keys: new Set(keys),
        stored: (_projection, key) => byKey.get(key) ?? null,
      });
      for (const { key, state } of changed) byKey.set(key, { state });
      const all = [...byKey].map(([key, { state }]) => ({ tenant, projection, key, state }));
      changes.push({
        tenant,
        projection,
        removedKeys: keys.filter((key) => !byKey.has(key)),
        states: all,
      });
    }
    if (changes.length > 0) await store.replaceKeys(changes);
  }

  #replacedKeys() {
    const { projections, request } = this.#options;
    return projections.flatMap((projection) => {
      const scope = replayScope(projection, request.filter);
      return scope.kind === 'keys' ? [{ projection, keys: scope.keys }] : [];
    });
  }

  #computedOutcomes(computed: ReadonlyMap<string, ComputedStates>): ReplayOutcome[] {
    const { projections, request } = this.#options;
    return projections.map((projection) => {
      const sum = must(computed.get(projection.name), 'a computed projection');
      return {
        projection: projection.name,
        replaced: replayScope(projection, request.filter).kind,
        keyCount: sum.keyCount,
        digest: sum.digest,
      };
    });
  }
}

/** What a replay has done that was switched. Keys are counted when they are copied; null after a restart. */
export function switchedOutcomes(
  projections: readonly Projection[],
  keyCounts: ReadonlyMap<string, number> | null,
): ReplayOutcome[] {
  return projections.map(({ name }) => ({
    projection: name,
    replaced: 'all',
    keyCount: keyCounts?.get(name) ?? null,
    digest: null,
  }));
}
