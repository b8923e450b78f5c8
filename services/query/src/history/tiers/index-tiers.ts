/**
 * Finds the blocks that have an entity, over any number of blocks: the blocks of a history in position order, most of them under entity indexes that
 * merge in tiers in the background (see tier-policy.ts). The blocks themselves are never rewritten.
 *
 * Promise: `blocksOf` names every block that has the entity, and at most a few others, whatever merges or was lost meanwhile.
 *
 * Ordering: an index takes the place of what it was merged from in one turn, when it is durable; what it replaces is removed afterwards. So a crash
 * leaves the old ones, or the new one with some of the old ones, which the next open tells by the positions they cover and removes. An
 * index counts only over exactly the blocks that it names.
 *
 * Failure: indexes are made from blocks. One that is damaged is dropped with a warning, its blocks are looked at one by one, and it is
 * merged again. A disk that refuses leaves things as they are; the next block tries again.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isNativeError } from 'node:util/types';
import { Problem } from '@allsource/shared/errors';
import { assert, must } from '@allsource/shared/lang';
import type { BlockCache } from '../block/block-cache.ts';
import type { BlockFile } from '../block/block-file.ts';
import { DRAFT_SUFFIX } from '../block/block-writer.ts';
import { EntityIndex } from './entity-index.ts';
import { isIndexFile, type MergeSource, writeIndex } from './index-writer.ts';
import { dueMerge, TIER_FANOUT } from './tier-policy.ts';

export interface IndexTiersOptions {
  readonly folder: string;
  /** Keeps what lookups have read of indexes. */
  readonly cache: BlockCache;
  readonly logger: {
    readonly warn: (facts: object, message: string) => void;
    readonly error: (facts: object, message: string) => void;
  };
}

/** One block, or an index over neighbouring ones. */
interface Unit {
  readonly level: number;
  readonly index: EntityIndex | null;
  readonly blocks: readonly BlockFile[];
}

export class IndexTiers {
  readonly #options: IndexTiersOptions;
  #units: Unit[] = [];
  #working: Promise<void> | null = null;
  /** Counts up when the units are no longer those a running merge began with. */
  #generation = 0;
  #isClosed = false;

  constructor(options: IndexTiersOptions) {
    this.#options = options;
  }

  /** How many units a lookup of an entity asks. */
  get unitCount(): number {
    return this.#units.length;
  }

  /** Opens the indexes over these blocks, which are all of the history; what does not fit them is removed. */
  open(blocks: readonly BlockFile[]): void {
    const { folder } = this.#options;
    const names = readdirSync(folder);
    for (const name of names)
      if (isIndexFile(name.replace(DRAFT_SUFFIX, '')) && name.endsWith(DRAFT_SUFFIX))
        rmSync(join(folder, name));
    const indexes = names.filter(isIndexFile).flatMap((name) => this.#openIndex(name));
    // Of two over the same first block the longer one is the newer.
    indexes.sort(
      (a, b) =>
        a.header.firstPosition - b.header.firstPosition ||
        b.header.lastPosition - a.header.lastPosition,
    );
    const units: Unit[] = [];
    let next = 0;
    for (const index of indexes) {
      const from = blocks.findIndex(
        ({ header }, i) => i >= next && header.firstPosition === index.header.firstPosition,
      );
      const covered = from === -1 ? [] : blocks.slice(from, from + index.header.blocks.length);
      if (!isOver(index, covered)) {
        index.close();
        rmSync(index.path, { force: true });
        continue;
      }
      units.push(...blocks.slice(next, from).map(unitOf), {
        level: index.header.level,
        index,
        blocks: covered,
      });
      next = from + covered.length;
    }
    this.#units = [...units, ...blocks.slice(next).map(unitOf)];
    this.#work();
  }

  #openIndex(name: string): EntityIndex[] {
    const { folder, cache, logger } = this.#options;
    const opened = EntityIndex.open(join(folder, name), cache);
    if (typeof opened !== 'string') return [opened];
    logger.warn(
      { index: name, reason: opened },
      'read store: an entity index cannot be used; it is made again',
    );
    rmSync(join(folder, name), { force: true });
    return [];
  }

  /** Adds the next block. */
  add(block: BlockFile): void {
    this.#units.push(unitOf(block));
    this.#work();
  }

  /** Puts a block in the place of one with the same rows. */
  replace(old: BlockFile, block: BlockFile): void {
    this.#units = this.#units.map((unit) =>
      unit.blocks.includes(old)
        ? { ...unit, blocks: unit.blocks.map((known) => (known === old ? block : known)) }
        : unit,
    );
    this.#work();
  }

  /** The blocks that may have an entity of this hash, in position order. Those that no index covers yet are always among them. */
  blocksWith(hash: number): BlockFile[] {
    const found: BlockFile[] = [];
    // A damaged index is taken out of the units meanwhile.
    for (const unit of this.#units.slice()) found.push(...this.#blocksOfUnit(unit, hash));
    return found;
  }

  #blocksOfUnit(unit: Unit, hash: number): readonly BlockFile[] {
    const { index, blocks } = unit;
    if (index === null) return blocks;
    try {
      return index.blocksWith(hash).map((number) => must(blocks[number], 'a block of the index'));
    } catch (error) {
      this.#drop(unit, error);
      return blocks;
    }
  }

  /** Waits until no merge is due. */
  async settled(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  /** Forgets all blocks and removes the indexes. */
  async clear(): Promise<void> {
    const indexes = this.#units.flatMap(({ index }) => index ?? []);
    this.#units = [];
    this.#generation++;
    await this.settled();
    for (const index of indexes) {
      index.close();
      rmSync(index.path, { force: true });
    }
  }

  /** Ends a merge that is under way; it begins again at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.settled();
    for (const { index } of this.#units) index?.close();
  }

  #work(): void {
    this.#working ??= this.#mergeAll().finally(() => {
      this.#working = null;
    });
  }

  async #mergeAll(): Promise<void> {
    while (!this.#isClosed) {
      const due = dueMerge(this.#units.map(({ level }) => level));
      if (due === null) return;
      const sources = this.#units.slice(due.from, due.from + TIER_FANOUT);
      try {
        await this.#merge(sources, due.level);
      } catch (error) {
        if (this.#dropDamaged(sources, error)) continue;
        this.#options.logger.error(
          { err: error },
          'read store: entity indexes could not be merged; the next block tries again',
        );
        return;
      }
    }
  }

  /** Does nothing when the units change meanwhile. */
  async #merge(sources: readonly Unit[], level: number): Promise<void> {
    const generation = this.#generation;
    const isCancelled = () => this.#isClosed || this.#generation !== generation;
    const [block] = sources[0]?.blocks ?? [];
    assert(block !== undefined, 'a merge is of blocks');
    const { logId } = block.header;
    const { folder, cache } = this.#options;
    const path = await writeIndex({
      folder,
      logId,
      level,
      sources: sources.map(sourceOf),
      isCancelled,
    });
    if (path === null || isCancelled()) {
      if (path !== null) rmSync(path, { force: true });
      return;
    }
    const index = EntityIndex.open(path, cache);
    assert(typeof index !== 'string', 'an index that was just written can be opened');
    this.#put(sources, index);
  }

  /** Puts an index in the place of what it was merged from. */
  #put(sources: readonly Unit[], index: EntityIndex): void {
    const firstPosition = sources[0]?.blocks[0]?.firstPosition;
    const from = this.#units.findIndex(({ blocks }) => blocks[0]?.firstPosition === firstPosition);
    const old = this.#units.slice(from, from + sources.length);
    const blocks = old.flatMap((unit) => unit.blocks);
    this.#units.splice(from, sources.length, { level: index.header.level, index, blocks });
    for (const { index: replaced } of old) {
      if (replaced === null) continue;
      replaced.close();
      rmSync(replaced.path, { force: true });
    }
  }

  /** Lets go of the index that could not be read; false when it was none of these. A damaged block is its own reader's to report. */
  #dropDamaged(units: readonly Unit[], error: unknown): boolean {
    const unit = units.find(({ index }) => index !== null && isDamageOf(index, error));
    if (unit !== undefined) this.#drop(unit, error);
    return unit !== undefined;
  }

  /** Lets go of an index; its blocks stand for themselves until they are merged again. */
  #drop({ index }: Unit, error: unknown): void {
    const at = this.#units.findIndex((unit) => index !== null && unit.index === index);
    const unit = this.#units[at];
    if (index === null || unit === undefined) return;
    const reason = isNativeError(error) ? error.message : String(error);
    this.#options.logger.warn(
      { index: basename(index.path), reason },
      'read store: an entity index is damaged; it is made again',
    );
    this.#units.splice(at, 1, ...unit.blocks.map(unitOf));
    this.#generation++;
    index.close();
    rmSync(index.path, { force: true });
    this.#work();
  }
}

function isDamageOf(index: EntityIndex, error: unknown): boolean {
  return error instanceof Problem && error.members['index'] === basename(index.path);
}

function unitOf(block: BlockFile): Unit {
  return { level: 0, index: null, blocks: [block] };
}

function sourceOf({ index, blocks }: Unit): MergeSource {
  if (index !== null) return { kind: 'index', index };
  const [block] = blocks;
  assert(block !== undefined, 'a unit has blocks');
  const { firstPosition, lastPosition } = block.header;
  return {
    kind: 'block',
    range: { firstPosition, lastPosition },
    hashes: () => block.readEntityHashes(),
  };
}

/** True when an index is over exactly these blocks of this log. */
function isOver({ header }: EntityIndex, blocks: readonly BlockFile[]): boolean {
  return (
    blocks.length === header.blocks.length &&
    blocks.every(
      (block, i) =>
        block.header.firstPosition === header.blocks[i]?.firstPosition &&
        block.header.lastPosition === header.blocks[i]?.lastPosition &&
        block.header.logId.equals(header.logId),
    )
  );
}
