/**
 * What lies behind a name of a simulated disk: the content that every handle sees, and beside it what a loss of power could take back. For each sector that
 * was written since the last sync it keeps the durable bytes and every version since; a sync drops the versions, a failed sync loses them: the content stays
 * visible and is not durable, and to sync again finds nothing to do, as kernels behave.
 */
import { SECTOR_BYTES, type Survival } from './survival.ts';

/** The bytes of a sector, as a part of a larger copy. */
interface SectorBytes {
  readonly region: Buffer;
  readonly at: number;
}

interface Version extends SectorBytes {
  readonly write: number;
}

interface SectorRange {
  readonly first: number;
  /** The sector behind the last. */
  readonly behind: number;
}

interface LengthChange {
  readonly write: number;
  readonly length: number;
}

const NO_BYTES = Buffer.alloc(0);

export class SimulatedInode {
  /** The name it has, or had last. */
  name: string;
  #room: Buffer;
  #length: number;
  #durableLength: number;
  /** Durable bytes of the sectors whose visible content may differ from them; null where the durable file does not reach. */
  readonly #durable = new Map<number, SectorBytes | null>();
  readonly #unsynced = new Map<number, Version[]>();
  #lengths: LengthChange[] = [];

  /** A file whose content is durable. The bytes become the inode's own. */
  constructor(name: string, content: Buffer = NO_BYTES) {
    this.name = name;
    this.#room = content;
    this.#length = content.length;
    this.#durableLength = content.length;
  }

  /** The visible content. A test damages a file here; in sectors without unsynced writes the damage is durable at once. */
  get content(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  /** The same file on the disk of another life: what is not synced is not synced there either. */
  clone(): SimulatedInode {
    const clone = new SimulatedInode(this.name, Buffer.from(this.content));
    clone.#durableLength = this.#durableLength;
    for (const [sector, bytes] of this.#durable) clone.#durable.set(sector, bytes);
    for (const [sector, versions] of this.#unsynced) clone.#unsynced.set(sector, [...versions]);
    clone.#lengths = [...this.#lengths];
    return clone;
  }

  /** The numbers of the writes that are not durable and not lost. */
  unsyncedWrites(): number[] {
    const writes = this.#lengths.map(({ write }) => write);
    for (const versions of this.#unsynced.values())
      for (const { write } of versions) writes.push(write);
    return writes;
  }

  write(write: number, bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (bytes.length === 0) return;
    const range = {
      first: Math.floor(offset / SECTOR_BYTES),
      behind: Math.ceil(end / SECTOR_BYTES),
    };
    this.#keepDurable(range);
    this.#grow(write, end);
    this.#room.set(bytes, offset);
    const region = this.#copyOf(range);
    for (let sector = range.first, at = 0; sector < range.behind; sector++, at += SECTOR_BYTES) {
      const version = { write, region, at };
      const versions = this.#unsynced.get(sector);
      if (versions === undefined) this.#unsynced.set(sector, [version]);
      else versions.push(version);
    }
  }

  #keepDurable(range: SectorRange): void {
    let region: Buffer | null = null;
    for (let sector = range.first; sector < range.behind; sector++) {
      if (this.#durable.has(sector)) continue;
      if (sector * SECTOR_BYTES >= this.#durableLength) {
        this.#durable.set(sector, null);
        continue;
      }
      region ??= this.#copyOf(range);
      this.#durable.set(sector, { region, at: (sector - range.first) * SECTOR_BYTES });
    }
  }

  #copyOf({ first, behind }: SectorRange): Buffer {
    const copy = Buffer.alloc((behind - first) * SECTOR_BYTES);
    this.#room.copy(copy, 0, first * SECTOR_BYTES, Math.min(behind * SECTOR_BYTES, this.#length));
    return copy;
  }

  #grow(write: number, length: number): void {
    if (length <= this.#length) return;
    if (length > this.#room.length) {
      const room = Buffer.alloc(Math.max(length, Math.min(this.#room.length * 2, length + 65_536)));
      this.content.copy(room);
      this.#room = room;
    }
    this.#length = length;
    this.#lengths.push({ write, length });
  }

  /** Makes durable what was written up to the write of this number. */
  sync(upTo: number): void {
    for (const [sector, versions] of this.#unsynced) {
      const later = versions.filter(({ write }) => write > upTo);
      if (later.length === versions.length) continue;
      if (later.length === 0) {
        this.#unsynced.delete(sector);
        this.#durable.delete(sector);
      } else {
        this.#unsynced.set(sector, later);
        this.#durable.set(sector, versions[versions.length - later.length - 1] ?? null);
      }
    }
    for (const { write, length } of this.#lengths) if (write <= upTo) this.#durableLength = length;
    this.#lengths = this.#lengths.filter(({ write }) => write > upTo);
  }

  /** A sync has failed: what it was to make durable never will be, although it stays visible. */
  loseUnsynced(): void {
    this.#unsynced.clear();
    this.#lengths = [];
  }

  /** Cuts the file short, as something outside the log might. */
  cut(length: number): void {
    this.#room = Buffer.from(this.#room.subarray(0, length));
    this.#length = length;
    this.#durableLength = length;
    this.#durable.clear();
    this.loseUnsynced();
  }

  /** The content that a loss of power leaves. */
  afterPowerLoss(survival: Survival): Buffer {
    let length = this.#durableLength;
    for (const change of this.#lengths)
      if (survival.keepsLength(change.write)) length = Math.max(length, change.length);
    const after = Buffer.alloc(length);
    this.content.copy(after);
    for (const [sector, durable] of this.#durable) {
      const from = sector * SECTOR_BYTES;
      if (from >= length) continue;
      const kept = this.#keptVersion(sector, survival) ?? durable;
      const stale = kept === null ? (survival.staleSector?.(sector) ?? null) : null;
      if (kept !== null) kept.region.copy(after, from, kept.at, kept.at + SECTOR_BYTES);
      else if (stale !== null) stale.copy(after, from);
      else after.fill(0, from, Math.min(from + SECTOR_BYTES, length));
    }
    return after;
  }

  #keptVersion(sector: number, survival: Survival): SectorBytes | null {
    let kept: SectorBytes | null = null;
    for (const version of this.#unsynced.get(sector) ?? [])
      if (survival.keepsSector(version.write, sector)) kept = version;
    return kept;
  }
}
