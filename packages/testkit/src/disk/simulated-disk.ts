/**
 * A disk in memory that keeps apart what was written and what was synced, so that the real log code can be run through every crash and fault of a disk.
 * It has the shape of core's storage port (services/core/src/storage/disk.ts), which names no type of this package.
 *
 *   afterKill        what a killed process leaves: all that was written
 *   afterPowerLoss   what a machine without power leaves: see survival.ts
 *   onCall           sees every call before it happens, and may fail, drop, misdirect or stall it: see disk-fault.ts
 *
 * Nothing in it depends on time or chance but what the caller hands in; so a run is repeated by its seed.
 */
import type { SeededRandom } from '../seeded-random.ts';
import { type DiskCall, type DiskFault, type DiskHook, diskError } from './disk-fault.ts';
import { type FileHost, SimulatedFile } from './simulated-file.ts';
import { SimulatedInode } from './simulated-inode.ts';
import { seededSurvival, type Survival } from './survival.ts';

type Names = Map<string, SimulatedInode>;

/** A file made, renamed or removed. */
interface NameChange {
  readonly number: number;
  readonly removes: string | null;
  readonly adds: { readonly name: string; readonly inode: SimulatedInode } | null;
}

/** How many removed files a disk remembers, as what a reused block may hold. */
const REMOVED_FILES_MAX = 8;

export class SimulatedDisk implements FileHost {
  readonly names: Names = new Map();
  #durableNames: Names = new Map();
  #changes: NameChange[] = [];
  #removed: SimulatedInode[] = [];
  #operations = 0;
  onCall: DiskHook = () => undefined;

  /** The disk of a machine whose process was killed: all that was written is there, and what was not synced may still be lost with the power. */
  afterKill(): SimulatedDisk {
    const clones = new Map<SimulatedInode, SimulatedInode>();
    const cloneOf = (inode: SimulatedInode) => {
      const clone = clones.get(inode) ?? inode.clone();
      clones.set(inode, clone);
      return clone;
    };
    const disk = new SimulatedDisk();
    for (const [name, inode] of this.names) disk.names.set(name, cloneOf(inode));
    for (const [name, inode] of this.#durableNames) disk.#durableNames.set(name, cloneOf(inode));
    disk.#changes = this.#changes.map(({ adds, ...change }) => ({
      ...change,
      adds: adds === null ? null : { name: adds.name, inode: cloneOf(adds.inode) },
    }));
    disk.#removed = [...this.#removed];
    disk.#operations = this.#operations;
    return disk;
  }

  /** One of the many disks that a loss of power can leave, by chance or by the rule given. */
  afterPowerLoss(how: SeededRandom | Survival): SimulatedDisk {
    const survival = 'keepsSector' in how ? how : seededSurvival(how, this.#oldContents());
    const names: Names = new Map(this.#durableNames);
    for (const change of this.#changes)
      if (survival.keepsName(change.number)) applyChange(names, change);
    return diskOf([...names].map(([name, inode]) => [name, inode.afterPowerLoss(survival)]));
  }

  #oldContents(): Buffer[] {
    return [...this.#removed, ...this.names.values()].map((inode) => inode.content);
  }

  /** The numbers of all writes and changes of names that are not durable yet, in the order of the calls. */
  unsyncedOperations(): number[] {
    const inodes = new Set([...this.names.values(), ...this.#durableNames.values()]);
    const numbers = this.#changes.map(({ number }) => number);
    for (const inode of inodes) numbers.push(...inode.unsyncedWrites());
    return [...new Set(numbers)].sort((a, b) => a - b);
  }

  /** The bytes of a file, to look at and to damage. */
  bytes(name: string): Buffer {
    return this.inode(name).content;
  }

  /** Cuts a file short, as something outside the log might. */
  cut(name: string, length: number): void {
    this.inode(name).cut(length);
  }

  /** The names that end so, in order. */
  fileNames(suffix: string): string[] {
    return [...this.names.keys()].filter((name) => name.endsWith(suffix)).sort();
  }

  inode(name: string): SimulatedInode {
    const inode = this.names.get(name);
    if (inode === undefined) throw diskError('ENOENT', name);
    return inode;
  }

  /** The number of the next write or change. */
  nextOperation(): number {
    this.#operations += 1;
    return this.#operations;
  }

  /** The number of the newest write or change. */
  get operations(): number {
    return this.#operations;
  }

  /** Shows a call to the hook. */
  meet(call: DiskCall, name: string): DiskFault | undefined {
    return this.onCall(call, name) ?? undefined;
  }

  async #meetAndWait(call: DiskCall, name: string): Promise<void> {
    const fault = this.meet(call, name);
    if (fault?.kind === 'stalled') await fault.wait();
  }

  async list(folder: string): Promise<string[]> {
    await this.#meetAndWait('list', folder);
    const prefix = folder === '' ? '' : `${folder}/`;
    return [...this.names.keys()]
      .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('/'))
      .map((name) => name.slice(prefix.length));
  }

  /** Folders are there as soon as a file is in them, and durable. */
  async makeFolder(folder: string): Promise<void> {
    await this.#meetAndWait('makeFolder', folder);
  }

  async create(name: string): Promise<SimulatedFile> {
    await this.#meetAndWait('create', name);
    if (this.names.has(name)) throw diskError('EEXIST', name);
    const inode = new SimulatedInode(name);
    this.#change({ removes: null, adds: { name, inode } });
    return new SimulatedFile(this, inode);
  }

  async open(name: string, _mode: 'read' | 'write'): Promise<SimulatedFile> {
    await this.#meetAndWait('open', name);
    return new SimulatedFile(this, this.inode(name));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#meetAndWait('rename', from);
    const inode = this.inode(from);
    this.#remember(this.names.get(to));
    inode.name = to;
    this.#change({ removes: from, adds: { name: to, inode } });
  }

  async unlink(name: string): Promise<void> {
    await this.#meetAndWait('unlink', name);
    this.#remember(this.inode(name));
    this.#change({ removes: name, adds: null });
  }

  async protect(name: string): Promise<void> {
    await this.#meetAndWait('protect', name);
  }

  async syncFolder(folder: string): Promise<void> {
    const upTo = this.#operations;
    const fault = this.meet('syncFolder', folder);
    if (fault?.kind === 'stalled') await fault.wait();
    if (fault?.kind === 'dropped') return;
    for (const change of this.#changes)
      if (change.number <= upTo) applyChange(this.#durableNames, change);
    this.#changes = this.#changes.filter(({ number }) => number > upTo);
  }

  #remember(inode: SimulatedInode | undefined): void {
    if (inode === undefined) return;
    this.#removed.push(inode);
    if (this.#removed.length > REMOVED_FILES_MAX) this.#removed.shift();
  }

  #change(what: Omit<NameChange, 'number'>): void {
    const change = { ...what, number: this.nextOperation() };
    applyChange(this.names, change);
    this.#changes.push(change);
  }

  /** Puts a durable file on the disk, beside all calls. */
  place(name: string, content: Buffer): void {
    const inode = new SimulatedInode(name, content);
    this.names.set(name, inode);
    this.#durableNames.set(name, inode);
  }

  /** Takes a file off the disk, beside all calls, as something outside the log might. */
  remove(name: string): void {
    this.names.delete(name);
    this.#durableNames.delete(name);
  }
}

function applyChange(names: Names, { removes, adds }: NameChange): void {
  if (removes !== null) names.delete(removes);
  if (adds !== null) names.set(adds.name, adds.inode);
}

function diskOf(files: Iterable<[string, Buffer]>): SimulatedDisk {
  const disk = new SimulatedDisk();
  for (const [name, content] of files) disk.place(name, content);
  return disk;
}
