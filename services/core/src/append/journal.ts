/**
 * The one way into the log, and what everyone inside core sees of it.
 *
 * An append is placed (versions, position, conditions; see commit-builder.ts), made durable with its group (commit-pipeline.ts), folded, shown to readers, and
 * only then answered. Promises: acknowledged means durable (I-1); no reader passes the watermark (I-4); a retried append with a known idempotency
 * key gets the first answer again (I-6). A refusal that rests on a commit still on its way (a version conflict, a key in use) is answered only
 * when that commit is durable, so nobody is told of a state that a crash could take back.
 *
 * After a crash: what was placed and not yet durable was never answered; recovery keeps a frame only whole.
 */
import type { Clock, Micros, Position, Version } from '@allsource/shared/model';
import { micros, POSITION_ZERO } from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { DurableLog } from '../read/durable-log.ts';
import {
  type CheckpointSection,
  type SavedState,
  UnusableCheckpoint,
} from '../storage/checkpoint-port.ts';
import type { LogAnchor, LogHead, LogStore } from '../storage/log-store.ts';
import type { EventColumns } from './event-columns.ts';
import type { EventTexts } from './event-texts.ts';
import { textsOf } from './placement-texts.ts';
import type { IngestContext } from './ingest-request.ts';
import type { SystemAppender, SystemEventDraft } from './append-port.ts';
import type {
  CommitBuilder,
  EntityState,
  LineGroup,
  PlacedNotes,
  Placement,
  PlacementEvent,
  PlacementOutcome,
  RequestShape,
  ScannedRequest,
} from './commit-builder.ts';
import { CommitPipeline, type CommitPipelineOptions } from './commit-pipeline.ts';
import { IdempotencyFold } from './idempotency-fold.ts';
import { SequencingBuilder } from './sequencing-builder.ts';
import { firstFrameOf, type Stretch } from '../storage/stretch.ts';

/**
 * A fold of the log that core keeps in memory. It gets every durable frame once, in position order, and is kept in checkpoints.
 */
export interface LogFold extends CheckpointSection {
  apply(frame: Frame): void;
}

export interface JournalOptions {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** Default: the one in TypeScript. */
  readonly builder?: CommitBuilder;
  /** Folds beyond the journal's own; they are built during recovery and kept up to date. */
  readonly folds: readonly LogFold[];
  /** What was folded before. Null or left out: the whole log is replayed. */
  readonly saved?: SavedState | null;
  readonly onGroup?: NonNullable<CommitPipelineOptions['onGroup']>;
  readonly onWatermark?: NonNullable<CommitPipelineOptions['onWatermark']>;
}

/** The caller's name for an append, and a digest of what it sent with it. */
export interface IdempotencyName {
  readonly key: string;
  readonly bodyDigest: Buffer;
}

/** A client's append that has passed authentication, limits and the checks of its form. */
export interface AppendCommand {
  readonly tenant: string;
  readonly events: readonly PlacementEvent[] | ScannedRequest;
  readonly idempotency: IdempotencyName | null;
}

export type AppendOutcome =
  | {
      readonly kind: 'appended';
      readonly frame: Frame;
      /** True when the key was known, and the frame is that of the first append. */
      readonly isReplay: boolean;
      /** Null for a replay. */
      readonly notes: PlacedNotes | null;
    }
  | {
      readonly kind: 'conflict';
      readonly index: number;
      readonly expected: Version;
      readonly current: Version;
    };

/** Core's state at the watermark of a moment, for a checkpoint. */
export interface JournalSnapshot {
  readonly anchor: LogAnchor;
  readonly recordedAt: Micros;
  readonly sections: readonly { readonly name: string; readonly parts: Iterable<Buffer> }[];
  /**
   * To be called when all parts are drawn. Waits until everything that they may know of is durable and returns the last frame of it, or null when an
   * append was refused in the meantime: then the parts may know of commits that are not in the log.
   */
  readonly settled: () => Promise<LogAnchor | null>;
}

/** What was replayed when the journal was opened. */
export interface ReplaySummary {
  /** The position behind which the replay began; 0 = the beginning of the log. */
  readonly after: Position;
  readonly frames: number;
  readonly bytes: number;
}

interface PendingKey {
  readonly bodyDigest: Buffer;
  readonly frame: Promise<Frame>;
}

export class Journal implements DurableLog, SystemAppender {
  readonly #builder: CommitBuilder;
  readonly #options: JournalOptions;
  readonly #idempotency = new IdempotencyFold();
  readonly #pendingKeys = new Map<string, PendingKey>();
  readonly #listeners = new Set<(frame: Frame) => void>();
  readonly #pipeline: CommitPipeline;
  #logHead: LogHead | null = null;
  #head: Position = POSITION_ZERO;
  #headChecksum = 0;
  #recordedAt: Micros = micros(0);
  #refusals = 0;
  #replayed: ReplaySummary = { after: POSITION_ZERO, frames: 0, bytes: 0 };
  #lastCommit: Promise<void> = Promise.resolve();

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#builder = options.builder ?? new SequencingBuilder(options);
    this.#pipeline = new CommitPipeline({
      store: options.store,
      onDurable: (frame) => this.#takeDurable(frame),
      onRefused: () => this.#forgetPending(),
      ...(options.onGroup === undefined ? {} : { onGroup: options.onGroup }),
      ...(options.onWatermark === undefined ? {} : { onWatermark: options.onWatermark }),
    });
  }

  /**
   * Opens the store, recovers, and builds all folds in the same pass, from what was saved or from the first frame. Throws `UnusableCheckpoint` or
   * `MissingAnchor` when the log is not the one that the saved state was folded from: then store, builder and folds are to be made anew. Throws
   * `log_damaged` when the log lacks what the saved state, or anything else, knows to have been durable.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options);
    await journal.#recover(options.saved ?? null);
    return journal;
  }

  async #recover(saved: SavedState | null): Promise<void> {
    const { store } = this.#options;
    await saved?.loadInto(this.#sections);
    this.#recordedAt = saved?.recordedAt ?? this.#recordedAt;
    const through = saved?.through ?? null;
    let isThrough = through === null || through.position === saved?.anchor.position;
    let frames = 0;
    let bytes = 0;
    const head = await store.open({
      ...(saved === null ? {} : { after: saved.anchor, durable: saved.through }),
      keepsFrames: false,
      onFrame: (frame) => {
        if (frame.lastPosition === through?.position)
          isThrough = frame.checksum === through.checksum;
        this.#recordedAt = frame.recordedAt;
        this.#builder.replay(frame);
        this.#fold(frame);
        frames += 1;
        bytes += frame.bytes.length;
      },
    });
    if (!isThrough) {
      await store.close();
      throw new UnusableCheckpoint(
        `the log lacks a frame, up to position ${through?.position}, that it knows of`,
      );
    }
    this.#logHead = head;
    this.#head = head.position;
    this.#headChecksum = head.checksum;
    this.#replayed = { after: saved?.anchor.position ?? POSITION_ZERO, frames, bytes };
    this.#builder.begin(head, this.#recordedAt);
  }

  get #sections(): readonly CheckpointSection[] {
    return [...this.#builder.sections, this.#idempotency, ...this.#options.folds];
  }

  /** Begins to take the state of now. The parts are drawn in the order of the sections, each to its end. */
  snapshot(): JournalSnapshot {
    const refusals = this.#refusals;
    return {
      anchor: this.#headAnchor,
      recordedAt: this.#recordedAt,
      sections: this.#sections.map((section) => ({
        name: section.sectionName,
        parts: section.save(),
      })),
      settled: async () => {
        await Promise.allSettled([this.#lastCommit]);
        return this.#refusals === refusals ? this.#headAnchor : null;
      },
    };
  }

  get #headAnchor(): LogAnchor {
    return { logId: this.logId, position: this.#head, checksum: this.#headChecksum };
  }

  /** What the opening has replayed. */
  get replayed(): ReplaySummary {
    return this.#replayed;
  }

  get head(): Position {
    return this.#head;
  }

  /** The entities and counts at the watermark. */
  get entities(): EntityState {
    return this.#builder.entities;
  }

  get logId(): Buffer {
    assert(this.#logHead !== null, 'the journal is open');
    return this.#logHead.logId;
  }

  /** Why appends are refused until a restart; null while they are taken. */
  get poison(): Error | null {
    return this.#pipeline.poison;
  }

  /** Why the last append found no space; null when it did. */
  get fullCause(): Error | null {
    return this.#pipeline.fullCause;
  }

  read(from: Position): AsyncIterable<Stretch> {
    return this.#options.store.read(from);
  }

  async readEvent(at: Position): Promise<FrameEvent | null> {
    return (await this.#options.store.readEvent?.(at)) ?? null;
  }

  subscribe(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Reads the body of an append quickly; null when it has to be read with ingest-request.ts. The result is to be appended before anything is
   * awaited, for there is room for one request.
   */
  scan(
    body: readonly Buffer[],
    shape: RequestShape,
    context: IngestContext,
  ): ScannedRequest | null {
    return this.#builder.scan(body, shape, context);
  }

  /** The same for a group of lines; ingest-lines.ts is the other way to read them. */
  scanLines(group: LineGroup, context: IngestContext): ScannedRequest | null {
    return this.#builder.scanLines(group, context);
  }

  /** The same for columns; ingest-columns.ts is the other way to check them. */
  scanColumns(columns: EventColumns, context: IngestContext): ScannedRequest | null {
    return this.#builder.scanColumns(columns, context);
  }

  /** The texts of events, for checks before they are appended; those of a scanned request are to be used before anything is awaited. */
  textsOf(events: AppendCommand['events']): EventTexts {
    return 'generation' in events ? this.#builder.textsOf(events) : textsOf(events);
  }

  /** True when the key was used before with the same body. Throws `idempotency_key_reused` when it was with another. */
  isKnown(tenant: string, { key, bodyDigest }: IdempotencyName): boolean {
    const record =
      this.#pendingKeys.get(pendingKey(tenant, key)) ?? this.#idempotency.find(tenant, key);
    if (record !== null) requireSameBody(record.bodyDigest, bodyDigest);
    return record !== null;
  }

  /**
   * Appends a client's events as one commit. Throws a problem when the disk refuses (`storage_full`, `writer_poisoned`, `overloaded`) or the key
   * was used for another body (`idempotency_key_reused`).
   */
  async append(command: AppendCommand): Promise<AppendOutcome> {
    const { tenant, events, idempotency } = command;
    // From the look-up of the key to the placement nothing is awaited: two requests with one key cannot both find it unknown.
    const known = idempotency === null ? null : this.#known(tenant, idempotency);
    if (known !== null)
      return { kind: 'appended', frame: await known, isReplay: true, notes: null };
    const mark =
      idempotency === null
        ? null
        : { key: Buffer.from(idempotency.key, 'utf8'), bodyDigest: idempotency.bodyDigest };
    const outcome = this.#place({ space: 'events', tenant, events, idempotency: mark });
    if (outcome.kind === 'conflict') {
      await this.#lastCommit;
      return outcome;
    }
    const durable = this.#commit(outcome.frame).then(() => outcome.frame);
    if (idempotency === null) await durable;
    else
      await this.#rememberWhilePending(pendingKey(tenant, idempotency.key), {
        bodyDigest: idempotency.bodyDigest,
        frame: durable,
      });
    return { kind: 'appended', frame: outcome.frame, isReplay: false, notes: outcome.notes };
  }

  async appendSystem(tenant: string, drafts: readonly SystemEventDraft[]): Promise<Frame> {
    const events = drafts.map(systemPlacement);
    const outcome = this.#place({ space: 'system', tenant, events, idempotency: null });
    assert(outcome.kind === 'placed', 'system events carry no expected version');
    await this.#commit(outcome.frame);
    return outcome.frame;
  }

  #place(placement: Placement): PlacementOutcome {
    this.#pipeline.admit();
    return this.#builder.place(placement);
  }

  #commit(frame: Frame): Promise<void> {
    const durable = this.#pipeline.commit(frame);
    this.#lastCommit = durable;
    return durable;
  }

  async #rememberWhilePending(key: string, pending: PendingKey): Promise<void> {
    this.#pendingKeys.set(key, pending);
    try {
      await pending.frame;
    } finally {
      this.#pendingKeys.delete(key);
    }
  }

  /** The frame that a known key named, on its way or durable; null for a new key. Throws when the bodies differ. */
  #known(tenant: string, { key, bodyDigest }: IdempotencyName): Promise<Frame> | null {
    const pending = this.#pendingKeys.get(pendingKey(tenant, key));
    const record = pending ?? this.#idempotency.find(tenant, key);
    if (record === null) return null;
    requireSameBody(record.bodyDigest, bodyDigest);
    return 'frame' in record ? record.frame : this.#frameAt(record.position);
  }

  async #frameAt(position: Position): Promise<Frame> {
    const frame = await firstFrameOf(this.read(position));
    if (frame !== null) return frame;
    throw problem('internal', 'The first answer of this Idempotency-Key could not be read.');
  }

  #forgetPending(): void {
    this.#refusals += 1;
    this.#builder.rollBack();
    // Later refusals rest on the durable state again and need not wait for a commit that has failed.
    this.#lastCommit = Promise.resolve();
  }

  #takeDurable(frame: Frame): void {
    this.#builder.settle(frame);
    this.#fold(frame);
    this.#head = frame.lastPosition;
    this.#headChecksum = frame.checksum;
    this.#recordedAt = frame.recordedAt;
    for (const listener of this.#listeners) listener(frame);
  }

  #fold(frame: Frame): void {
    this.#idempotency.apply(frame);
    for (const fold of this.#options.folds) fold.apply(frame);
  }

  /** Waits for appends under way, then closes the store. */
  async close(): Promise<void> {
    await this.#pipeline.drain();
    await this.#options.store.close();
  }
}

function pendingKey(tenant: string, key: string): string {
  return `${tenant}\u0000${key}`;
}

function requireSameBody(first: Buffer, now: Buffer): void {
  if (first.equals(now)) return;
  throw problem(
    'idempotency_key_reused',
    'This Idempotency-Key was used before for another request body. Use a new key for a new append, or send the first body unchanged.',
  );
}

function systemPlacement({ entity, event, payloadText }: SystemEventDraft): PlacementEvent {
  return {
    type: event.type,
    entity,
    payload: Buffer.from(payloadText ?? JSON.stringify(event.payload), 'utf8'),
    metadata: null,
    timestamp: null,
    expectedVersion: null,
  };
}
