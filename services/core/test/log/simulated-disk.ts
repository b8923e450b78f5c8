/**
 * A disk in memory that keeps apart what was written and what was synced, so that a crash can be played: `afterKill` is what a killed process leaves (all
 * that was written), `afterPowerLoss` what a machine without power leaves: of each unsynced sector of 512 bytes the old or the new content, of the
 * unsynced names a prefix of the changes. A failed sync marks its sectors clean and loses them, as kernels do, so to sync again pretends to work.
 *
 * `onCall` sees every call that changes or syncs something before it happens, and may throw in its place; a write that is refused so has
 * written its first half.
 */
import { assert, must } from '@allsource/shared/lang';
import type { SeededRandom } from '@allsource/testkit';
import type { Disk, DiskFile, OpenMode } from '../../src/storage/disk.ts';

const SECTOR_BYTES = 512;

export type DiskCall =
  | 'write'
  | 'datasync'
  | 'fill'
  | 'create'
  | 'rename'
  | 'unlink'
  | 'syncFolder';

/** What lies behind a name. */
class Inode {
  content: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  readonly dirty = new Set<number>();

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.content.length) {
      const grown = Buffer.alloc(end);
      this.content.copy(grown);
      this.content = grown;
    }
    this.content.set(bytes, offset);
    for (let at = Math.floor(offset / SECTOR_BYTES); at * SECTOR_BYTES < end; at++)
      this.dirty.add(at);
  }

  sync(): void {
    this.durable = this.#withSectors(this.dirty, this.content.length);
    this.dirty.clear();
  }

  afterPowerLoss(random: SeededRandom): Inode {
    const kept = [...this.dirty].filter(() => random.below(2) === 0);
    const length = random.below(2) === 0 ? this.content.length : this.durable.length;
    const after = new Inode();
    after.durable = this.#withSectors(kept, length);
    after.content = Buffer.from(after.durable);
    return after;
  }

  #withSectors(sectors: Iterable<number>, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    this.durable.copy(bytes);
    for (const sector of sectors) {
      const from = sector * SECTOR_BYTES;
      if (from < length)
        this.content.copy(bytes, from, from, Math.min(from + SECTOR_BYTES, length));
    }
    return bytes;
  }
}

type Names = Map<string, Inode>;

export class SimulatedDisk implements Disk {
  readonly names: Names = new Map();
  #durableNames: Names = new Map();
  #pending: ((names: Names) => void)[] = [];
  onCall: (call: DiskCall, name: string) => void = () => undefined;

  /** The disk of a machine whose process was killed: nothing that was written is lost. */
  afterKill(): SimulatedDisk {
    return SimulatedDisk.#of([...this.names].map(([name, inode]) => [name, inode.content]));
  }

  /** One of the many disks that a loss of power can leave. */
  afterPowerLoss(random: SeededRandom): SimulatedDisk {
    const names: Names = new Map(this.#durableNames);
    for (const change of this.#pending.slice(0, random.below(this.#pending.length + 1)))
      change(names);
    const contents = [...names].map(([name, inode]): [string, Buffer] => [
      name,
      inode.afterPowerLoss(random).content,
    ]);
    return SimulatedDisk.#of(contents);
  }

  static #of(contents: Iterable<[string, Buffer]>): SimulatedDisk {
    const disk = new SimulatedDisk();
    for (const [name, content] of contents) {
      const inode = new Inode();
      inode.content = Buffer.from(content);
      inode.durable = Buffer.from(content);
      disk.names.set(name, inode);
    }
    disk.#durableNames = new Map(disk.names);
    return disk;
  }

  /** The bytes of a file, to look at and to damage. */
  bytes(name: string): Buffer {
    return must(this.names.get(name), `there is a file ${name}`).content;
  }

  /** Cuts a file short, as something outside the log might. */
  cut(name: string, length: number): void {
    const inode = must(this.names.get(name), `there is a file ${name}`);
    inode.content = Buffer.from(inode.content.subarray(0, length));
    inode.durable = Buffer.from(inode.content);
  }

  fileNames(suffix: string): string[] {
    return [...this.names.keys()].filter((name) => name.endsWith(suffix)).sort();
  }

  async list(folder: string): Promise<string[]> {
    const prefix = folder === '' ? '' : `${folder}/`;
    return [...this.names.keys()]
      .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('/'))
      .map((name) => name.slice(prefix.length));
  }

  async makeFolder(): Promise<void> {}

  async create(name: string): Promise<DiskFile> {
    this.onCall('create', name);
    if (this.names.has(name)) throw diskError('EEXIST', name);
    const inode = new Inode();
    this.#change((names) => names.set(name, inode));
    return new SimulatedFile(this, name, inode);
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    assert(mode === 'read' || mode === 'write', 'a mode');
    const inode = this.names.get(name);
    if (inode === undefined) throw diskError('ENOENT', name);
    return new SimulatedFile(this, name, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    this.onCall('rename', from);
    const inode = this.names.get(from);
    if (inode === undefined) throw diskError('ENOENT', from);
    this.#change((names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  async unlink(name: string): Promise<void> {
    this.onCall('unlink', name);
    if (!this.names.has(name)) throw diskError('ENOENT', name);
    this.#change((names) => names.delete(name));
  }

  async protect(): Promise<void> {}

  async syncFolder(folder: string): Promise<void> {
    this.onCall('syncFolder', folder);
    this.#pending = [];
    this.#durableNames = new Map(this.names);
  }

  #change(change: (names: Names) => void): void {
    change(this.names);
    this.#pending.push(change);
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #name: string;
  readonly #inode: Inode;
  #isClosed = false;

  constructor(disk: SimulatedDisk, name: string, inode: Inode) {
    this.#disk = disk;
    this.#name = name;
    this.#inode = inode;
  }

  async size(): Promise<number> {
    return this.#inode.content.length;
  }

  writeNow(parts: readonly Uint8Array[], offset: number): void {
    assert(!this.#isClosed, 'an open file');
    const bytes = Buffer.concat(parts);
    try {
      this.#disk.onCall('write', this.#name);
    } catch (thrown) {
      this.#inode.write(bytes.subarray(0, Math.floor(bytes.length / 2)), offset);
      throw thrown;
    }
    this.#inode.write(bytes, offset);
  }

  async read(target: Buffer, offset: number): Promise<number> {
    return this.readNow(target, offset);
  }

  readNow(target: Buffer, offset: number): number {
    assert(!this.#isClosed, 'an open file');
    return offset >= this.#inode.content.length ? 0 : this.#inode.content.copy(target, 0, offset);
  }

  async datasync(): Promise<void> {
    // A real sync takes a while, in which the event loop turns.
    await Promise.resolve();
    this.datasyncNow();
  }

  datasyncNow(): void {
    assert(!this.#isClosed, 'an open file');
    try {
      this.#disk.onCall('datasync', this.#name);
    } catch (thrown) {
      this.#inode.dirty.clear();
      throw thrown;
    }
    this.#inode.sync();
  }

  async fillWithZeros(bytes: number): Promise<void> {
    this.#disk.onCall('fill', this.#name);
    const from = this.#inode.content.length;
    this.#inode.write(Buffer.alloc(bytes - from), from);
    this.#inode.sync();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

/** An error as the operating system throws it. */
export function diskError(code: string, name: string): Error {
  return Object.assign(new RangeError(`${code}: ${name}`), { code });
}
