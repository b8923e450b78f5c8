/**
 * Checkpoints of the catalog: a file beside the blocks, so that a start folds only the blocks behind it.
 *
 * Promise: a catalog that was taken back and then told of the rows behind the checkpoint's position is the one that all rows make.
 *
 * How, without stopping: a checkpoint begins between two blocks, at a position P. Counts of types and tenants are taken in that turn. Records of
 * entities are copied page by page while the catalog goes on, so some are newer than P, but none is newer than the position U that the catalog has
 * reached when the last page is copied. Noting an event is idempotent (an entity's events are counted by their versions, see
 * entity-records.ts), so telling a catalog that was taken back of the rows from P on again makes every record right as soon as it is at
 * U. Therefore a checkpoint counts only where durable blocks reach U: it gets its name when they do, and a start looks at it again.
 *
 * A crash leaves the checkpoint before and perhaps a draft, which the next open removes. One that is damaged, of another log or newer than the
 * blocks is removed, and all blocks are folded. A disk that refuses costs the checkpoint, nothing else.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import { syncFolder } from '@allsource/service-kit/files';
import { Turns } from '@allsource/service-kit/turns';
import { DRAFT_SUFFIX } from '../history/block/block-writer.ts';
import type { FoldCheckpoints, HistoryPlace } from '../history/fold-checkpoints.ts';
import type { Catalog } from './catalog.ts';
import {
  CHECKPOINT_HEADER_BYTES,
  CheckpointDamage,
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
  encodePiece,
  PieceReader,
  type TenantPiece,
} from './checkpoint-file.ts';
import type { Tallies } from './tenant-catalog.ts';

const FILE_NAME = 'catalog.checkpoint';
const EVENTS_BETWEEN_MIN = 2_000_000;
/** A checkpoint grows with the entities: this share of their number has to come in events before the next. */
const EVENTS_AN_ENTITY = 0.5;
/** Entities put into the table in one go at a start, when nobody is served yet; bounds the memory that it takes besides. */
const ENTITIES_AT_ONCE = 2 ** 22;

export interface CatalogCheckpointsOptions {
  readonly folder: string;
  readonly catalog: Catalog;
  readonly warn: (facts: object, message: string) => void;
  /** Events between two checkpoints at least; with many entities, half as many as there are entities. */
  readonly eventsBetween?: number;
}

/** A tenant at the position of a checkpoint, and where its records are copied from. */
interface TenantSnapshot {
  readonly piece: TenantPiece;
  readonly longNameBytes: number;
  readonly tallies: Tallies;
}

export class CatalogCheckpoints implements FoldCheckpoints {
  readonly #options: CatalogCheckpointsOptions;
  readonly #path: string;
  #lastPosition = 0;
  #writing: Promise<void> | null = null;
  #abort = new AbortController();
  #durablePosition = 0;
  #wakeWaiting: () => void = () => {};

  constructor(options: CatalogCheckpointsOptions) {
    this.#options = options;
    this.#path = join(options.folder, FILE_NAME);
  }

  async restore(durable: {
    readonly logId: string;
    readonly position: Position;
  }): Promise<Position> {
    this.#durablePosition = durable.position;
    this.#lastPosition = 0;
    const file = await open(this.#path, 'r').catch(() => null);
    if (file === null) return POSITION_ZERO;
    try {
      const header = await readHeader(file);
      if (!isOf(header, durable)) return await this.#refused();
      await this.#readTenants(new PieceReader(file), header.tenantCount);
      this.#lastPosition = header.position;
      return header.position;
    } catch (error) {
      if (!(error instanceof CheckpointDamage)) throw error;
      this.#options.warn(
        { reason: error.message },
        'read store: the catalog checkpoint cannot be used; all blocks are folded',
      );
      return await this.#refused();
    } finally {
      await file.close();
    }
  }

  async #refused(): Promise<Position> {
    this.#options.catalog.emptied();
    await rm(this.#path, { force: true });
    return POSITION_ZERO;
  }

  async #readTenants(pieces: PieceReader, tenantCount: number): Promise<void> {
    const { catalog } = this.#options;
    const turns = new Turns();
    for (let i = 0; i < tenantCount; i++) {
      // The piece was printed by `snapshotOf`, behind its checksum.
      const piece = JSON.parse((await pieces.next()).toString('utf8')) as TenantPiece;
      const { tallies } = catalog.made(piece.tenant);
      tallies.eventCount = piece.eventCount;
      tallies.types.restore(piece.types);
      const { records } = tallies.entities;
      for (let page = 0; page < piece.recordPieces; page++)
        await pieces.next((bytes) => records.roomForPage(bytes));
      for (let part = 0; part < piece.longNamePieces; part++)
        await pieces.next((bytes) => records.roomForLongNames(bytes));
      for (let from = 0; from < piece.entityCount; from += ENTITIES_AT_ONCE) {
        const to = Math.min(piece.entityCount, from + ENTITIES_AT_ONCE);
        tallies.entities.restoreRange(piece.tenant, { from, to });
        await turns.next();
      }
    }
  }

  atBoundary(position: Position, place: HistoryPlace): void {
    const { catalog, eventsBetween = EVENTS_BETWEEN_MIN } = this.#options;
    if (this.#writing !== null || position - this.#lastPosition < eventsBetween) return;
    const tenants = catalog
      .tenants()
      .map((tenant) => snapshotOf(tenant, catalog.tenant(tenant).tallies));
    const entityCount = tenants.reduce((sum, { piece }) => sum + piece.entityCount, 0);
    if (position - this.#lastPosition < entityCount * EVENTS_AN_ENTITY) return;
    // Also when it fails: the next try is as far away as it would be otherwise.
    this.#lastPosition = position;
    this.#writing = this.#write({ position, place, tenants, signal: this.#abort.signal }).finally(
      () => {
        this.#writing = null;
      },
    );
  }

  durableAt(position: Position): void {
    this.#durablePosition = position;
    this.#wakeWaiting();
  }

  async clear(): Promise<void> {
    await this.#end();
    await rm(this.#path, { force: true });
    this.#lastPosition = 0;
    this.#durablePosition = 0;
  }

  async close(): Promise<void> {
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#abort.abort();
    this.#wakeWaiting();
    await this.#writing;
    this.#abort = new AbortController();
  }

  async #write(checkpoint: Checkpoint): Promise<void> {
    const { folder, warn } = this.#options;
    const draft = this.#path + DRAFT_SUFFIX;
    try {
      const until = await writeDraft(draft, checkpoint);
      while (this.#durablePosition < until && !checkpoint.signal.aborted)
        await new Promise<void>((resolve) => {
          this.#wakeWaiting = resolve;
        });
      checkpoint.signal.throwIfAborted();
      await rename(draft, this.#path);
      await syncFolder(folder);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => null);
      if (!checkpoint.signal.aborted)
        warn({ err: error }, 'read store: a catalog checkpoint could not be written');
    }
  }
}

interface Checkpoint {
  readonly position: Position;
  readonly place: HistoryPlace;
  readonly tenants: readonly TenantSnapshot[];
  readonly signal: AbortSignal;
}

function snapshotOf(tenant: string, tallies: Tallies): TenantSnapshot {
  const { records, size } = tallies.entities;
  const { longNameBytes } = records;
  const piece = {
    tenant,
    eventCount: tallies.eventCount,
    entityCount: size,
    recordPieces: records.pageCount(size),
    longNamePieces: records.longNamePartCount(longNameBytes),
    types: tallies.types.entries(),
  };
  return { piece, longNameBytes, tallies };
}

/** Writes everything. Returns the position that no record is newer than. */
async function writeDraft(
  path: string,
  { position, place, tenants, signal }: Checkpoint,
): Promise<Position> {
  const file = await open(path, 'w');
  try {
    let fileBytes = CHECKPOINT_HEADER_BYTES;
    const add = async (bytes: Buffer) => {
      signal.throwIfAborted();
      const piece = encodePiece(bytes);
      await file.writeFile(piece);
      fileBytes += piece.length;
    };
    await file.writeFile(Buffer.alloc(CHECKPOINT_HEADER_BYTES));
    for (const { piece, longNameBytes, tallies } of tenants) {
      const { records } = tallies.entities;
      await add(Buffer.from(JSON.stringify(piece)));
      for (const page of records.recordPages(piece.entityCount)) await add(page);
      for (const part of records.longNameChunks(longNameBytes)) await add(part);
    }
    const until = place.appliedPosition();
    const { logId } = place;
    const header = { logId, position, until, fileBytes, tenantCount: tenants.length };
    await file.write(encodeCheckpointHeader(header), 0, CHECKPOINT_HEADER_BYTES, 0);
    await file.sync();
    return until;
  } finally {
    await file.close();
  }
}

async function readHeader(file: FileHandle): Promise<CheckpointHeader> {
  const bytes = Buffer.alloc(CHECKPOINT_HEADER_BYTES);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  const header = decodeCheckpointHeader(bytes.subarray(0, bytesRead));
  if (typeof header === 'string') throw new CheckpointDamage(header);
  const { size } = await file.stat();
  if (header.fileBytes !== size)
    throw new CheckpointDamage(`it has ${size} bytes instead of ${header.fileBytes}`);
  return header;
}

/** False for one of another log, and for one that is newer than the blocks, as after some of them were dropped. */
function isOf(
  header: CheckpointHeader,
  durable: { readonly logId: string; readonly position: Position },
): boolean {
  return header.logId === durable.logId && header.until <= durable.position;
}
