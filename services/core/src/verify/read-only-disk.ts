import { assert } from '@allsource/shared/lang';
import type { Disk, DiskFile, OpenMode } from '../storage/disk.ts';

/** A disk that can be looked at and nothing else: whoever inspects a log cannot change a byte of it, not even by a mistake of the program. */
export class ReadOnlyDisk implements Disk {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  list(folder: string): Promise<string[]> {
    return this.#disk.list(folder);
  }

  open(name: string, mode: OpenMode): Promise<DiskFile> {
    assert(mode === 'read', 'an inspection opens files for reading only');
    return this.#disk.open(name, 'read');
  }

  makeFolder(): Promise<void> {
    return refuse();
  }

  create(): Promise<DiskFile> {
    return refuse();
  }

  rename(): Promise<void> {
    return refuse();
  }

  unlink(): Promise<void> {
    return refuse();
  }

  protect(): Promise<void> {
    return refuse();
  }

  syncFolder(): Promise<void> {
    return refuse();
  }
}

function refuse(): never {
  assert(false, 'an inspection changes nothing');
}
