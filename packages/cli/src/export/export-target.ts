/**
 * The file of an export. It is written beside its place under a name of its own and takes its place when it is whole and on the disk: nobody ever finds half a
 * file under the name that was asked for, whatever ends the command. What a kill leaves behind is named `.part`.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CliError, EXIT } from '../exit-code.ts';
import type { ByteTarget } from './export-writer.ts';

export interface ExportTarget extends ByteTarget {
  readonly bytesWritten: number;
  /** Makes it final. */
  finish(): Promise<void>;
  /** Leaves nothing behind. Does nothing after `finish`. */
  abandon(): Promise<void>;
}

export class FileTarget implements ExportTarget {
  bytesWritten = 0;
  readonly #path: string;
  readonly #draft: string;
  readonly #file: FileHandle;
  #isDone = false;

  private constructor(path: string, draft: string, file: FileHandle) {
    this.#path = path;
    this.#draft = draft;
    this.#file = file;
  }

  /** Begins a file. One that is there already is replaced only when that is wanted. */
  static async open(
    name: string,
    { overwrite }: { readonly overwrite: boolean },
  ): Promise<FileTarget> {
    const path = resolve(name);
    if (!overwrite && existsSync(path))
      throw new CliError(`'${name}' is there already; --overwrite replaces it.`, EXIT.usage);
    const draft = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
    try {
      return new FileTarget(path, draft, await open(draft, 'w'));
    } catch (error) {
      throw writeFault(name, error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.writeFile(bytes);
    } catch (error) {
      throw writeFault(this.#path, error);
    }
    this.bytesWritten += bytes.length;
  }

  async finish(): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#draft, this.#path);
      this.#isDone = true;
      const folder = await open(dirname(this.#path), 'r');
      await folder.sync();
      await folder.close();
    } catch (error) {
      throw writeFault(this.#path, error);
    }
  }

  async abandon(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    await this.#file.close().catch(() => {
      // It is closed already; the draft still has to go.
    });
    await rm(this.#draft, { force: true });
  }
}

function writeFault(name: string, error: unknown): CliError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CliError(`'${name}' cannot be written: ${reason}.`);
}

/** Standard output. It cannot be taken back: whoever reads it learns of a failure by the exit code. */
export class StreamTarget implements ExportTarget {
  bytesWritten = 0;
  readonly #stream: Writable;
  readonly #closed: AbortSignal;

  constructor(stream: Writable, closed: AbortSignal) {
    this.#stream = stream;
    this.#closed = closed;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#closed.throwIfAborted();
    this.bytesWritten += bytes.length;
    if (!this.#stream.write(bytes)) await once(this.#stream, 'drain', { signal: this.#closed });
  }

  async finish(): Promise<void> {
    // The command flushes its output before it ends.
  }

  async abandon(): Promise<void> {
    // What was written is with its reader.
  }
}
