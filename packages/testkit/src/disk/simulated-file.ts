import { assert } from '@allsource/shared/lang';
import type { DiskCall, DiskFault } from './disk-fault.ts';
import type { SimulatedInode } from './simulated-inode.ts';

/** What a file needs of its disk. */
export interface FileHost {
  /** The number of the newest write or change of a name. */
  readonly operations: number;
  /** Shows a call to the hook, which may throw in its place. */
  meet(call: DiskCall, name: string): DiskFault | undefined;
  nextOperation(): number;
  inode(name: string): SimulatedInode;
}

/** An open file of a simulated disk. Its calls are shown under the name that the file has at that moment. */
export class SimulatedFile {
  readonly #disk: FileHost;
  readonly #inode: SimulatedInode;
  #isClosed = false;

  constructor(disk: FileHost, inode: SimulatedInode) {
    this.#disk = disk;
    this.#inode = inode;
  }

  #meet(call: DiskCall): DiskFault | undefined {
    assert(!this.#isClosed, `${this.#inode.name} is open`);
    return this.#disk.meet(call, this.#inode.name);
  }

  async size(): Promise<number> {
    await stall(this.#meet('size'));
    return this.#inode.content.length;
  }

  writeNow(parts: readonly Uint8Array[], offset: number): void {
    const bytes = Buffer.concat(parts);
    let fault: DiskFault | undefined;
    try {
      fault = this.#meet('write');
    } catch (thrown) {
      const half = bytes.subarray(0, Math.floor(bytes.length / 2));
      this.#inode.write(this.#disk.nextOperation(), half, offset);
      throw thrown;
    }
    if (fault?.kind === 'dropped') return;
    const { inode, at } = this.#landing(fault, offset);
    inode.write(this.#disk.nextOperation(), bytes, at);
  }

  #landing(
    fault: DiskFault | undefined,
    offset: number,
  ): { readonly inode: SimulatedInode; readonly at: number } {
    if (fault?.kind !== 'misdirected') return { inode: this.#inode, at: offset };
    const inode = fault.name === undefined ? this.#inode : this.#disk.inode(fault.name);
    return { inode, at: fault.offset };
  }

  async read(target: Buffer, offset: number): Promise<number> {
    await stall(this.#meet('read'));
    return this.#copyTo(target, offset);
  }

  readNow(target: Buffer, offset: number): number {
    this.#meet('read');
    return this.#copyTo(target, offset);
  }

  #copyTo(target: Buffer, offset: number): number {
    const { content } = this.#inode;
    return offset >= content.length ? 0 : content.copy(target, 0, offset);
  }

  /** Makes durable what had been written when it was called; what is written meanwhile is not. */
  async datasync(): Promise<void> {
    const upTo = this.#disk.operations;
    const fault = this.#meetSync();
    // A real sync takes a while, in which the event loop turns.
    await stall(fault);
    if (fault?.kind !== 'dropped') this.#inode.sync(upTo);
  }

  datasyncNow(): void {
    const upTo = this.#disk.operations;
    if (this.#meetSync()?.kind !== 'dropped') this.#inode.sync(upTo);
  }

  #meetSync(): DiskFault | undefined {
    try {
      return this.#meet('datasync');
    } catch (thrown) {
      this.#inode.loseUnsynced();
      throw thrown;
    }
  }

  async fillWithZeros(
    bytes: number,
    turn: (bytes: number) => Promise<boolean> | boolean,
  ): Promise<boolean> {
    const from = this.#inode.content.length;
    const zeros = Buffer.alloc(Math.max(0, bytes - from));
    let fault: DiskFault | undefined;
    if (!(await turn(from))) return false;
    try {
      fault = this.#meet('fill');
    } catch (thrown) {
      const half = zeros.subarray(0, Math.floor(zeros.length / 2));
      this.#inode.write(this.#disk.nextOperation(), half, from);
      throw thrown;
    }
    this.#inode.write(this.#disk.nextOperation(), zeros, from);
    await stall(fault);
    await this.datasync();
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

async function stall(fault: DiskFault | undefined): Promise<void> {
  if (fault?.kind === 'stalled') await fault.wait();
}
