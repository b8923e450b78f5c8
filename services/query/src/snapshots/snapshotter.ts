/**
 * Takes snapshots by itself: of an entity that has passed another 100 events (setting ALLSOURCE_SNAPSHOT_EVENTS), and of one whose newest
 * snapshot is an hour old (ALLSOURCE_SNAPSHOT_AGE_S) while events have come since.
 *
 * Promise: it delays nobody. It looks at the rows of the history after they were applied, works a small share of the time that others leave in stretches of a fraction of a
 * millisecond, and does nothing while the history is behind the log. What it holds is bounded: a place in the log and one batch. When it falls far
 * behind, it goes on at the end, and compares the counts of the catalog with its snapshots instead of reading the rows in between; the same it does
 * once after a start. So an entity may have its snapshot later than at its hundredth event, never a wrong one.
 *
 * Failure: when a round fails (a full disk, a damaged block) it is logged and tried again after a while. No answer depends on it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '@allsource/shared/lang';
import { type Clock, type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Logger } from '@allsource/service-kit/observability';
import { IdleTime, Turns } from '@allsource/service-kit/turns';
import type { EventRun } from '../history/event-run.ts';
import type { FoldedSnapshot } from './snapshot.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { isTooLarge, type Snapshots } from './snapshots.ts';

/** The part of the history it looks at. */
export interface WatchedHistory {
  readonly appliedPosition: Position;
  runs(): Iterable<EventRun>;
}

/** The part of the catalog it asks. */
export interface EntityCounts {
  tenants(): Iterable<string>;
  tenant(tenant: string): {
    readonly entityCount: number;
    entityEventCount(entity: string): number;
    everyEntity(): Iterable<{ readonly entity: string; readonly eventCount: number }>;
  };
}

export interface SnapshotterOptions {
  readonly history: WatchedHistory;
  readonly catalog: EntityCounts;
  readonly snapshots: Snapshots;
  readonly store: SnapshotStore;
  /** Events after which an entity has another snapshot; 0: none is taken here. */
  readonly everyEvents: number;
  /** Age from which on a snapshot is replaced when events have come since. */
  readonly ageMs: number;
  /** True while the history has more important things to do. */
  readonly isBehind: () => boolean;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
}

interface Candidate {
  readonly tenant: string;
  readonly entity: string;
}

const ROUND_MS = 1_000;
const RETRY_MS = 30_000;
/** Of the time in which the process has nothing else to do. */
const WORK_SHARE = 0.1;
/** A process that is never idle counts as one that is for so much of its time. */
const IDLE_MIN = 0.2;
const ROWS_A_LOOK = 65_536;
const BATCH_SNAPSHOTS = 64;
/** A batch is written in one turn of the event loop. */
const BATCH_BYTES = 1024 * 1024;
const UNCHECKED_A_ROUND = 500;
/** Positions it may be behind before it goes by the catalog. */
const BEHIND_MAX = 1_000_000;

export class Snapshotter {
  readonly #options: SnapshotterOptions;
  readonly #stop = new AbortController();
  #scanned: Position = POSITION_ZERO;
  /** The catalog has to be looked through: rows were passed over. */
  #isGapped = true;
  #running: Promise<void> | null = null;
  readonly #idle = new IdleTime();
  #turns = new Turns();
  /** The batch, by tenant and entity. */
  readonly #drafts = new Map<string, FoldedSnapshot>();
  #draftBytes = 0;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** Begins to work in the background. */
  start(): void {
    if (this.#options.everyEvents > 0) this.#running ??= this.#run();
  }

  /** Ends the work in the middle; what was not kept is taken another time. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let waitMs = ROUND_MS;
    while (await this.#slept(waitMs)) {
      waitMs = ROUND_MS;
      try {
        await this.round();
      } catch (error) {
        this.#emptyBatch();
        if (this.#isStopped) return;
        this.#options.logger.warn(
          { err: error },
          'snapshots could not be taken; tried again later',
        );
        waitMs = RETRY_MS;
      }
    }
  }

  async #slept(ms: number): Promise<boolean> {
    // An abort rejects the sleep, and says the same as the signal.
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
    return !this.#isStopped;
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  get #mayWork(): boolean {
    return !this.#isStopped && !this.#options.isBehind();
  }

  /** Takes what is due. One call at a time. */
  async round(): Promise<void> {
    if (!this.#mayWork) return;
    const { history } = this.#options;
    const share = () => WORK_SHARE * Math.max(this.#idle.sinceLastAsked(), IDLE_MIN);
    this.#turns = new Turns(share, this.#stop.signal);
    // Behind its own place, the history was emptied and is another.
    const distance = history.appliedPosition - this.#scanned;
    if (distance < 0 || distance > BEHIND_MAX) this.#isGapped = true;
    if (this.#isGapped) await this.#lookThroughCatalog();
    else await this.#lookThroughRows();
    if (this.#mayWork) await this.#takeAged();
    this.#keepBatch();
  }

  async #lookThroughCatalog(): Promise<void> {
    const { catalog, history, everyEvents } = this.#options;
    this.#scanned = history.appliedPosition;
    this.#isGapped = true;
    for (const tenant of Array.from(catalog.tenants())) {
      for (const { entity, eventCount } of catalog.tenant(tenant).everyEntity()) {
        if (eventCount >= everyEvents) await this.#takeIfDue({ tenant, entity }, eventCount);
        if (this.#turns.isTurnOver) await this.#turns.nextTurn();
        if (!this.#mayWork) return;
      }
    }
    this.#isGapped = false;
  }

  async #lookThroughRows(): Promise<void> {
    for (const run of this.#options.history.runs()) {
      for (let row = run.rowsUntil(this.#scanned); row < run.rowCount; row += ROWS_A_LOOK) {
        const end = Math.min(row + ROWS_A_LOOK, run.rowCount);
        for (const [candidate, version] of this.#passedIn(run, row, end)) {
          await this.#takeIfDue(candidate, version);
          if (!this.#mayWork) return;
        }
        if (this.#turns.isTurnOver) await this.#turns.nextTurn();
      }
      if (run.lastPosition > this.#scanned) this.#scanned = run.lastPosition;
    }
  }

  /** The entities that pass another hundred in rows of a run, with the version at which they do. */
  // oxlint-disable-next-line eslint/max-params -- a run and a range in it.
  #passedIn(run: EventRun, from: number, end: number): [Candidate, number][] {
    const { everyEvents } = this.#options;
    const { source } = run;
    const { versions, entities } = source;
    const passed = new Map<number, number>();
    for (let row = from; row < end; row++) {
      const version = versions[row] as number;
      if (version % everyEvents === 0) passed.set(entities[row] as number, version);
    }
    return [...passed].map(([entity, version]) => {
      const tenant = must(source.tenantNames[source.entityTenants[entity] as number], 'a tenant');
      return [{ tenant, entity: source.entityName(entity) }, version];
    });
  }

  /** Takes a snapshot of an entity that is at `version`, unless one was taken since it passed its last hundred. */
  async #takeIfDue({ tenant, entity }: Candidate, version: number): Promise<void> {
    const { snapshots, everyEvents } = this.#options;
    const inBatch = this.#drafts.get(keyOf({ tenant, entity }))?.last.version ?? 0;
    const newest = Math.max(inBatch, snapshots.newestVersion(tenant, entity));
    if (Math.floor(version / everyEvents) > Math.floor(newest / everyEvents))
      await this.#take({ tenant, entity });
  }

  async #take(candidate: Candidate): Promise<void> {
    const { snapshots, history } = this.#options;
    const untilPosition = history.appliedPosition;
    try {
      const wanted = { ...candidate, kind: 'automatic', untilPosition } as const;
      const draft = await snapshots.draft(wanted, this.#turns);
      if (draft !== null) this.#addToBatch(draft);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
    }
    if (this.#turns.isTurnOver) await this.#turns.nextTurn();
  }

  #addToBatch(draft: FoldedSnapshot): void {
    this.#drafts.set(keyOf(draft), draft);
    this.#draftBytes += draft.stored.length;
    if (this.#drafts.size >= BATCH_SNAPSHOTS || this.#draftBytes >= BATCH_BYTES) this.#keepBatch();
  }

  #keepBatch(): void {
    const drafts = [...this.#drafts.values()];
    this.#emptyBatch();
    if (drafts.length > 0) this.#options.snapshots.keep(drafts);
  }

  #emptyBatch(): void {
    this.#drafts.clear();
    this.#draftBytes = 0;
  }

  async #takeAged(): Promise<void> {
    const { store, catalog, ageMs, clock } = this.#options;
    const nowMs = Math.floor(clock.nowMicros() / 1000);
    const unchecked = store.uncheckedSince(nowMs - ageMs, UNCHECKED_A_ROUND);
    const hasNews = ({ tenant, entity, version }: (typeof unchecked)[number]) =>
      catalog.tenant(tenant).entityEventCount(entity) > version &&
      !this.#drafts.has(keyOf({ tenant, entity }));
    for (const candidate of unchecked) {
      if (hasNews(candidate)) await this.#take(candidate);
      if (!this.#mayWork) return;
    }
    // Those with a snapshot in the batch are noted by it once more; those too large for one are looked at in an hour again.
    if (unchecked.length > 0) store.markChecked(unchecked, nowMs);
  }
}

// The name of a tenant has no space.
function keyOf({ tenant, entity }: Candidate): string {
  return `${tenant} ${entity}`;
}
