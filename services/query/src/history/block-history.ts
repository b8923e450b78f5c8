/**
 * The event history on disk: a follower's copy of the log as blocks, and the newest events as the tail in memory.
 *
 * Promise: the history holds each event of a client once, up to `appliedPosition`, and answers the same after a restart, after its files
 * were deleted and followed again, and while a tail becomes a block. The follower applies frames one call at a time; reading is
 * synchronous and sees whole frames, up to `appliedPosition`. A long call lets readers in between two frames.
 *
 * Ordering: rows are readable in the same turn in which they are applied; a full tail is written in the background (see sealer.ts) and
 * read until its block is durable. Durable is what lies in blocks: after a crash the history begins again at the end of the last whole
 * block, and the follower brings the rest from core. Frames are taken whole, so that end is the end of a frame: nothing but a frame's
 * end can be joined on to.
 *
 * Failure: a disk that refuses makes `apply` throw once too many full tails wait; the follower tries again. A block that turns out to be
 * damaged while it is read is built again from core's log in its place (see block-repairs.ts). Where nobody can read the log again, it is removed
 * and named in `fault`, which fails readiness; the next start follows again from there.
 */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import { Problem } from '@allsource/shared/errors';
import { assert, must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { type Micros, micros, type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { Turns } from '@allsource/service-kit/turns';
import { BlockCache } from './block/block-cache.ts';
import type { BlockFile } from './block/block-file.ts';
import { type WriteBlock, writeBlock } from './block/block-writer.ts';
import { BlockFolder } from './block-folder.ts';
import { BlockRepairs, type ReadFrames } from './block-repairs.ts';
import { soughtEntity } from './entity-hash.ts';
import { EntityRuns } from './entity-runs.ts';
import type { EventHistory, EventSelection, RunMatch, Runs, StoredEvent } from './event-history.ts';
import type { EventRun } from './event-run.ts';
import type { FoldCheckpoints } from './fold-checkpoints.ts';
import { matchRows } from './match-rows.ts';
import type { RunListener } from './run-listener.ts';
import { Sealer } from './sealer.ts';
import { Tail } from './tail/tail.ts';
import { IndexTiers } from './tiers/index-tiers.ts';

const MIB = 1024 * 1024;
/** Frames of a tail, in bytes, with which it is sealed although it has few rows. */
const TAIL_BYTES = 64 * MIB;
/** What of the memory for decompressed parts is for columns; the rest is for texts and buckets of indexes. */
const COLUMNS_SHARE = 0.8;

export interface BlockHistoryOptions {
  readonly folder: string;
  /** Events with which a block is full; the frame that fills it is in it as a whole. Setting ALLSOURCE_BLOCK_EVENTS. */
  readonly blockEvents: number;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  /** Folded along with the rows, such as the catalog. */
  readonly listeners: readonly RunListener[];
  /** Memory for decompressed parts. Setting ALLSOURCE_HISTORY_CACHE_BYTES. */
  readonly cacheBytes?: number;
  /** Shortens the start for the listeners. */
  readonly checkpoints?: FoldCheckpoints;
  /** Who encodes and writes blocks: a thread of its own (block-thread.ts), or in turns of this one when left out. */
  readonly writeBlock?: WriteBlock;
  /** How a stretch of the log is read again; without it a damaged block needs a restart. */
  readonly readFrames?: ReadFrames;
}

export class BlockHistory implements EventHistory, FrameSink {
  readonly #options: BlockHistoryOptions;
  readonly #folder: BlockFolder;
  readonly #sealer: Sealer;
  readonly #blocks: BlockFile[] = [];
  readonly #tiers: IndexTiers;
  readonly #repairs: BlockRepairs | null;
  #tail: Tail;
  /** The rows of the tail that the listeners know. */
  #announcedRows = 0;
  #logId: string | null = null;
  #damage: string | null = null;
  /** Until then a damaged block is dropped, not repaired. */
  #isOpen = false;

  private constructor(options: BlockHistoryOptions) {
    this.#options = options;
    const { folder, logger, cacheBytes = LIMITS.historyCacheBytes } = options;
    const columnBytesMax = cacheBytes * COLUMNS_SHARE;
    const cache = new BlockCache({ columnBytesMax, chunkBytesMax: cacheBytes - columnBytesMax });
    this.#folder = new BlockFolder({
      folder,
      cache,
      writeBlock: options.writeBlock ?? writeBlock,
      warn: (facts, message) => logger.warn(facts, message),
      onDamage: (block, reason) => this.#onDamage(block, reason),
    });
    this.#sealer = new Sealer({
      write: (tail) => this.#folder.write(tail, Buffer.from(must(this.#logId, 'a log'), 'hex')),
      onSealed: (_tail, block) => this.#addSealed(block),
      onFailed: (error) => logger.error({ err: error }, 'read store: writing a block failed'),
    });
    this.#tiers = new IndexTiers({ folder, cache, logger });
    this.#repairs = this.#createRepairs(options);
    this.#tail = this.#newTail(POSITION_ZERO);
  }

  #createRepairs({ readFrames, logger }: BlockHistoryOptions): BlockRepairs | null {
    if (readFrames === undefined) return null;
    return new BlockRepairs({
      readFrames,
      write: (tail, logId) => this.#folder.write(tail, logId),
      onRepaired: (old, block) => {
        this.#replace(old, block);
        logger.warn({ block: basename(block.path) }, 'read store: the block was built again');
      },
    });
  }

  /** Opens the history in a folder, which is made if needed. Blocks that cannot be used are removed with a warning. */
  static async open(options: BlockHistoryOptions): Promise<BlockHistory> {
    const history = new BlockHistory(options);
    history.#blocks.push(...(await history.#folder.open()));
    let isFolded = false;
    while (!isFolded) isFolded = await history.#foldBlocks();
    history.#isOpen = true;
    history.#tiers.open(history.#blocks);
    return history;
  }

  /**
   * Brings the listeners from where their checkpoint stands to the end of the blocks. A block that turns out to be damaged is dropped with all
   * later ones; then false, and it has to be done again, because the checkpoint may be newer than what is left.
   */
  async #foldBlocks(): Promise<boolean> {
    const { listeners, checkpoints } = this.#options;
    const last = this.#blocks.at(-1);
    const logId = last?.header.logId.toString('hex') ?? null;
    this.#logId = logId;
    this.#tail = this.#newTail(last?.header.lastPosition ?? POSITION_ZERO);
    if (last === undefined || logId === null) return true;
    const durable = { logId, position: last.header.lastPosition };
    const from = (await checkpoints?.restore(durable)) ?? POSITION_ZERO;
    const turns = new Turns();
    for (const [i, block] of this.#blocks.entries()) {
      if (listeners.length === 0 || block.header.lastPosition <= from) continue;
      const fault = foldFault(block);
      if (fault !== null) {
        await this.#folder.drop(
          this.#blocks.splice(i).map(({ path }) => basename(path)),
          fault,
        );
        for (const listener of listeners) listener.emptied();
        return false;
      }
      for (const listener of listeners) listener.rowsAdded(block.run, block.run.rowsUntil(from));
      // A start reads every block once; memory is for those that are asked for.
      block.release();
      await turns.next();
    }
    return true;
  }

  #addSealed(block: BlockFile): void {
    this.#blocks.push(block);
    this.#tiers.add(block);
    this.#options.checkpoints?.durableAt(block.header.lastPosition);
  }

  /** Puts a block that was built again in the place of the damaged one. */
  #replace(old: BlockFile, block: BlockFile): void {
    const at = this.#blocks.indexOf(old);
    if (at === -1) return;
    this.#blocks[at] = block;
    this.#tiers.replace(old, block);
  }

  get appliedPosition(): Position {
    return this.#tail.lastPosition;
  }

  /** Up to here the history survives a crash. */
  get durablePosition(): Position {
    return this.#blocks.at(-1)?.header.lastPosition ?? POSITION_ZERO;
  }

  get logId(): string | null {
    return this.#logId;
  }

  /** How many blocks there are, and how many blocks and indexes over blocks a lookup of an entity asks. */
  get layout(): { readonly blocks: number; readonly lookups: number } {
    return { blocks: this.#blocks.length, lookups: this.#tiers.unitCount };
  }

  /** Waits until what runs in the background has come to rest: blocks written, indexes merged. For tests and measurements. */
  async settled(): Promise<void> {
    await this.#sealer.idle();
    await this.#tiers.settled();
  }

  /** What is wrong with the store, in a sentence; null when all is well. For readiness. */
  get fault(): string | null {
    return this.#damage ?? this.#repairs?.failure ?? this.#sealer.failure?.message ?? null;
  }

  /** Applies frames after `appliedPosition`; what was applied already is passed over. Throws `storage_full` when too much waits for the disk. */
  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    this.#requireLog(logId);
    await this.#sealer.ready();
    const turns = new Turns();
    for (const frame of frames) {
      this.#take(frame);
      if (!turns.isTurnOver) continue;
      this.#announce();
      await turns.next();
    }
    this.#announce();
  }

  /** Says that the log holds no more events up to `position`. */
  advance(position: Position, logId: string): void {
    this.#requireLog(logId);
    if (position <= this.appliedPosition) return;
    this.#tail.cover(position);
    this.#sealIfFull();
  }

  #requireLog(logId: string): void {
    assert(this.#logId === null || this.#logId === logId, 'one history holds one log');
    this.#logId = logId;
  }

  #take(frame: Frame): void {
    const { appliedPosition } = this;
    if (frame.lastPosition <= appliedPosition) return;
    assert(frame.position <= appliedPosition + 1, `a frame is missing after ${appliedPosition}`);
    assert(frame.position > appliedPosition, `a frame holds position ${appliedPosition} inside`);
    if (frame.isSystem) this.#tail.cover(frame.lastPosition);
    else this.#tail.append(frame);
    this.#sealIfFull();
  }

  #sealIfFull(): void {
    if (!this.#tail.isFull) return;
    this.#announce();
    const full = this.#tail;
    this.#tail = this.#newTail(full.lastPosition);
    this.#sealer.add(full);
    const place = {
      logId: must(this.#logId, 'a log'),
      appliedPosition: () => this.#announcedPosition,
    };
    this.#options.checkpoints?.atBoundary(full.lastPosition, place);
  }

  /** Up to here the listeners have been told of every row, and perhaps of some more. */
  get #announcedPosition(): Position {
    this.#announce();
    return this.appliedPosition;
  }

  #announce(): void {
    const from = this.#announcedRows;
    if (this.#tail.rowCount === from) return;
    this.#announcedRows = this.#tail.rowCount;
    const run = this.#tail.run();
    for (const listener of this.#options.listeners) listener.rowsAdded(run, from);
  }

  #newTail(after: Position): Tail {
    this.#announcedRows = 0;
    return new Tail(after, { rows: this.#options.blockEvents, frameBytes: TAIL_BYTES });
  }

  *select(selection: EventSelection): Generator<StoredEvent> {
    for (const { run, rows } of this.matches(selection))
      for (const row of rows) yield run.event(row);
  }

  *matches(selection: EventSelection): Generator<RunMatch> {
    const after = selection.afterPosition ?? POSITION_ZERO;
    for (const run of this.runs(selection)) {
      const matched = matchRows(run, selection);
      const rows = run.firstPosition > after ? matched : rowsFrom(matched, run.rowsUntil(after));
      if (rows.length > 0) yield { run, rows };
    }
  }

  eventAt(tenant: string, position: Position): StoredEvent | null {
    const run = this.#runOf(position);
    const row = run.rowAt(position);
    if (row === -1) return null;
    const event = run.event(row);
    return event.tenant === tenant ? event : null;
  }

  /** When the first event behind a position was recorded, of whatever tenant; null while there is none. */
  recordedAfter(after: Position): Micros | null {
    for (const run of this.runs()) {
      if (run.lastPosition <= after) continue;
      const row = run.rowsUntil(after);
      if (row < run.rowCount) return micros(must(run.source.recordedAts[row], 'a row'));
    }
    return null;
  }

  /** The run that covers a position; the tail for one that nothing covers yet. */
  #runOf(position: Position): EventRun {
    if (position > this.durablePosition) {
      const waiting = this.#sealer.waiting.find((tail) => tail.lastPosition >= position);
      return (waiting ?? this.#tail).run();
    }
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (must(this.#blocks[middle], 'a block').header.lastPosition < position) low = middle + 1;
      else high = middle;
    }
    return must(this.#blocks[low], 'a block').run;
  }

  get runCount(): number {
    return this.#blocks.length + this.#sealer.waiting.length + 1;
  }

  runs(selection?: EventSelection): Runs {
    const after = selection?.afterPosition ?? POSITION_ZERO;
    const isBehind = ({ lastPosition }: EventRun) => lastPosition > after;
    const tails = [...this.#sealer.waiting, this.#tail].map((tail) => tail.run()).filter(isBehind);
    if (selection?.entity === undefined)
      return [...this.#blocks.map(({ run }) => run).filter(isBehind), ...tails];
    const { tenant, entity } = selection;
    const found = this.#tiers.blocksWith(soughtEntity(tenant, entity).hash);
    const blocks = found.filter(({ run }) => isBehind(run));
    return new EntityRuns({ selection, tenant, entity, blocks, tails });
  }

  /** Empties the history, on disk and in memory. */
  async reset(): Promise<void> {
    await this.#repairs?.clear();
    await this.#options.checkpoints?.clear();
    await this.#sealer.clear();
    await this.#tiers.clear();
    await this.#folder.clear();
    this.#blocks.length = 0;
    this.#tail = this.#newTail(POSITION_ZERO);
    this.#logId = null;
    this.#damage = null;
    for (const listener of this.#options.listeners) listener.emptied();
  }

  /** Waits for the block being written. The tail is not written: a short block at every stop would only be one more to search. */
  async close(): Promise<void> {
    await this.#repairs?.clear();
    await this.#sealer.idle();
    await this.#options.checkpoints?.close();
    await this.#tiers.close();
  }

  #onDamage(block: BlockFile, reason: string): void {
    // A reader may still hold a block that a reset has removed.
    if (!this.#isOpen || !this.#blocks.includes(block)) return;
    const name = basename(block.path);
    this.#options.logger.error({ block: name, reason }, 'read store: a block is damaged');
    if (this.#repairs !== null) return this.#repairs.add(block);
    rmSync(block.path, { force: true });
    this.#damage = `Block ${name} of the read store is damaged: ${reason}. Start the service again; it then builds the block again from the log.`;
  }
}

/** Reads what folds need of a block. Why it cannot be read, or null. */
function foldFault(block: BlockFile): string | null {
  try {
    block.loadFoldedColumns();
    return null;
  } catch (error) {
    if (error instanceof Problem && error.code === 'read_store_damaged') return error.message;
    throw error;
  }
}

/** The rows at or behind a row; they ascend. */
function rowsFrom(rows: Uint32Array, first: number): Uint32Array {
  const index = rows.findIndex((row) => row >= first);
  return index === -1 ? rows.subarray(rows.length) : rows.subarray(index);
}
