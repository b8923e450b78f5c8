/**
 * What one worker of a build has folded: in memory since the last save, in its file before that.
 *
 * Promise: an event is folded whole or not at all, and `save` moves everything that was folded, parked and skipped together with its position. After a crash the file names
 * its own position, and what was only in memory is folded again.
 *
 * Positions: `position` is the end of the last whole frame, where the follower goes on; `folded` is the last event, which may lie inside of the next frame. A frame
 * that comes again is folded from behind `folded`.
 *
 * Failure: when a save fails, everything stays in memory, and the next save writes it.
 */
import type { CompiledProjection, FoldedEvent, JsonValue } from '../kinds/compiled-projection.ts';
import type { BuildFile, ParkedRow, SavedState, SkippedRow } from './build-file.ts';
import type { BuildCounts, BuildFailure, BuildProgress } from './build-progress.ts';
import { ParkedEvents } from './parked-events.ts';
import { StateCache } from './state-cache.ts';

/** What is held in memory from one save to the next. */
const CACHE = { keysMax: 65_536, bytesMax: 32 * 1024 * 1024 };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type ParkedWhy = Pick<ParkedRow, 'reason' | 'attempts'>;
type Progress = Omit<BuildProgress, 'parkedEntities' | 'parkedEvents' | 'counts'>;

export interface FoldedBuildOptions {
  readonly file: BuildFile;
  readonly compiled: CompiledProjection;
  readonly nowMs: () => number;
}

export class FoldedBuild {
  readonly #file: BuildFile;
  readonly #compiled: CompiledProjection;
  readonly #nowMs: () => number;
  readonly #states: StateCache;
  #parked: ParkedEvents;
  #skipped: SkippedRow[] = [];
  #counts: Mutable<BuildCounts>;
  #progress: Mutable<Progress>;
  #unsavedEvents = 0;
  #isChanged = false;

  constructor({ file, compiled, nowMs }: FoldedBuildOptions) {
    this.#file = file;
    this.#compiled = compiled;
    this.#nowMs = nowMs;
    this.#states = new StateCache((key) => file.state(key));
    this.#parked = new ParkedEvents(file);
    const { counts, progress } = asInFile(file);
    this.#counts = counts;
    this.#progress = progress;
  }

  get position(): number {
    return this.#progress.position;
  }

  get folded(): number {
    return this.#progress.folded;
  }

  get logId(): string | null {
    return this.#progress.logId;
  }

  get parked(): ParkedEvents {
    return this.#parked;
  }

  /** Events folded, parked or skipped since the last save. */
  get unsavedEvents(): number {
    return this.#unsavedEvents;
  }

  get isSaved(): boolean {
    return !this.#isChanged;
  }

  /** True when memory wants a save. */
  get isFull(): boolean {
    return this.#states.size > CACHE.keysMax || this.#states.textBytes > CACHE.bytesMax;
  }

  /** As the file holds it after a save of this moment. */
  get progress(): BuildProgress {
    const { entityCount: parkedEntities, eventCount: parkedEvents } = this.#parked;
    return { ...this.#progress, counts: this.#counts, parkedEntities, parkedEvents };
  }

  /** Folds an event. Throws what the fold throws; then nothing of it is kept. */
  fold(event: FoldedEvent): void {
    try {
      this.#compiled.fold(event, this.#states);
    } catch (error) {
      this.#states.reject();
      throw error;
    }
    if (!this.#progress.hasSharedKeys) this.#noteKeys(event.entityId);
    this.#states.accept();
  }

  /** Says that an event is done with: folded, parked or skipped. */
  noteDone(event: FoldedEvent): void {
    this.#counts.processed += 1;
    this.#counts.lastEventMicros = event.recordedAt;
    this.#unsavedEvents += 1;
    this.notePassed(event.position);
  }

  /** Says that everything up to a position is done with, inside of a frame. */
  notePassed(position: number): void {
    if (position > this.#progress.folded) this.#progress.folded = position;
    this.#isChanged = true;
  }

  /** Says that a frame is done with. */
  noteFrame(position: number, logId: string): void {
    this.#progress.position = position;
    this.#progress.logId = logId;
    this.notePassed(position);
  }

  noteTime(micros: number): void {
    this.#counts.foldingMicros += micros;
  }

  noteError(message: string): void {
    this.#counts.errors += 1;
    this.#counts.lastError = message;
    this.#counts.lastErrorMs = this.#nowMs();
    this.#isChanged = true;
  }

  /** Says that it has reached the end of the log. */
  noteComplete(): void {
    if (this.#progress.isComplete) return;
    this.#progress.isComplete = true;
    this.#isChanged = true;
  }

  noteFailure(failure: BuildFailure | null): void {
    this.#progress.failure = failure;
    this.#isChanged = true;
  }

  skip(event: FoldedEvent, reason: string): void {
    const { position, id: eventId, entityId: entity } = event;
    this.#skipped.push({ position, eventId, entity, reason, skippedMs: this.#nowMs() });
    this.#counts.skipped += 1;
  }

  park(event: FoldedEvent, why: ParkedWhy): void {
    this.#parked.park(event, this.#parkedRow(event, why));
  }

  /** Folds an event that waited. Throws what the fold throws; then it waits on. */
  foldParked(event: FoldedEvent): void {
    this.fold(event);
    this.#parked.free(event);
    this.#isChanged = true;
  }

  /** Says that an entity stays parked at an event, or at another one than before. */
  parkAgain(event: FoldedEvent, why: ParkedWhy): void {
    this.#parked.parkAgain(this.#parkedRow(event, why));
    this.#isChanged = true;
  }

  /** Says that nothing of an entity waits any more. */
  freeParked(entity: string): void {
    this.#parked.freeEntity(entity);
    this.#isChanged = true;
  }

  /** Writes everything to the file, or throws and keeps it. */
  save(): void {
    if (!this.#isChanged) return;
    const counts = { ...this.#counts, savedMs: this.#nowMs() };
    const states: SavedState[] = [];
    let { shownRows } = this.#progress;
    for (const { key, value, wasShown } of this.#states.changes()) {
      const saved = this.#savedState(key, value);
      shownRows += Number(isShown(saved)) - Number(wasShown);
      states.push(saved);
    }
    const progress = { ...this.#progress, shownRows };
    this.#file.save({
      progress: { ...progress, counts },
      states,
      skipped: this.#skipped,
      ...this.#parked.changes(),
    });
    this.#settle({ progress, counts, states });
  }

  /** Lets go of everything, in memory and in the file. */
  reset(): void {
    this.#file.reset();
    this.#states.forget();
    this.#parked = new ParkedEvents(this.#file);
    this.#skipped = [];
    const { counts, progress } = asInFile(this.#file);
    this.#counts = counts;
    this.#progress = progress;
    this.#unsavedEvents = 0;
    this.#isChanged = false;
  }

  #settle(saved: {
    readonly progress: Progress;
    readonly counts: BuildCounts;
    readonly states: readonly SavedState[];
  }): void {
    this.#progress = saved.progress;
    this.#counts = saved.counts;
    for (const one of saved.states)
      this.#states.noteSaved(one.key, {
        isShown: isShown(one),
        textBytes: one.state?.length ?? 0,
      });
    this.#states.trim(CACHE);
    this.#parked.settle();
    this.#skipped = [];
    this.#unsavedEvents = 0;
    this.#isChanged = false;
  }

  #parkedRow(event: FoldedEvent, { reason, attempts }: ParkedWhy): ParkedRow {
    const { entityId: entity, position, id: eventId, eventType } = event;
    return { entity, position, eventId, eventType, reason, attempts, parkedMs: this.#nowMs() };
  }

  #savedState(key: string, value: JsonValue | undefined): SavedState {
    if (value === undefined) return { key, state: null, shown: null };
    const state = JSON.stringify(value);
    const shown = this.#shownOf(key, value);
    if (shown === null) return { key, state, shown: '' };
    return { key, state, shown: shown === undefined || shown === state ? null : shown };
  }

  /** What readers see, as text; undefined where it is the state itself, null where it is hidden. */
  #shownOf(key: string, value: JsonValue): string | null | undefined {
    if (this.#compiled.print !== undefined) return this.#compiled.print(key, value);
    const presented = this.#compiled.present(key, value);
    if (presented === value) return undefined;
    return presented === null ? null : JSON.stringify(presented);
  }

  #noteKeys(entity: string): void {
    for (const key of this.#states.touched())
      if (key !== entity) {
        this.#progress.hasSharedKeys = true;
        return;
      }
  }
}

function isShown({ state, shown }: SavedState): boolean {
  return state !== null && shown !== '';
}

function asInFile(file: BuildFile): {
  readonly counts: Mutable<BuildCounts>;
  readonly progress: Mutable<Progress>;
} {
  const { counts, parkedEntities: _entities, parkedEvents: _events, ...progress } = file.progress();
  return { counts: { ...counts }, progress };
}
