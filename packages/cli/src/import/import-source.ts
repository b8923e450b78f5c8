import { createReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { CliError } from '../exit-code.ts';

const GZIP_MAGIC = [0x1f, 0x8b] as const;

export interface SourceOptions {
  readonly stdin: Readable;
  readonly signal: AbortSignal;
}

/** Where an import reads from: a file, or standard input for `-`. Gzip is recognized by its first bytes. */
export class ImportSource {
  /** For people: the file's name. */
  readonly name: string;
  /** Bytes of the file as it lies on disk; null for standard input. */
  readonly bytesTotal: number | null;
  readonly #open: () => Readable;
  #stream: Readable | null = null;
  #bytesRead = 0;
  #contentBytes: number | null = null;

  /** `argument` is a path or `-`. The signal ends a read that waits. */
  constructor(argument: string, { stdin, signal }: SourceOptions) {
    if (argument === '-') {
      this.name = 'standard input';
      this.bytesTotal = null;
      this.#open = () => stdin;
    } else {
      this.name = basename(argument);
      this.bytesTotal = fileBytes(argument);
      this.#open = () => createReadStream(argument, { highWaterMark: 256 * 1024 });
    }
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  /** True when it can be read from the start again. */
  get isRepeatable(): boolean {
    return this.bytesTotal !== null;
  }

  /** Bytes of the content, decompressed; null until it has been read to its end once. */
  get contentBytes(): number | null {
    return this.#contentBytes;
  }

  /** How many bytes of the file have been read so far, compressed ones where it is compressed. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** The content, decompressed. Throws a {@link CliError} when the file cannot be read or is damaged. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    let bytes = 0;
    for await (const chunk of this.#content()) {
      bytes += chunk.length;
      yield chunk;
    }
    this.#contentBytes = bytes;
  }

  async *#content(): AsyncGenerator<Buffer, void, undefined> {
    this.#bytesRead = 0;
    const stream = this.#open();
    this.#stream = stream;
    try {
      const raw = this.#counted(stream);
      const head = await firstBytes(raw);
      if (!isGzip(head)) {
        yield head;
        yield* raw;
      } else yield* gunzipped(prepended(head, raw));
    } catch (error) {
      throw readFault(this.name, error);
    } finally {
      stream.destroy();
    }
  }

  /** Ends a read, also one that waits for more input. */
  close(): void {
    this.#stream?.destroy();
  }

  async *#counted(stream: Readable): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      this.#bytesRead += chunk.length;
      yield chunk;
    }
  }
}

function fileBytes(file: string): number {
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) throw new CliError(`'${file}' is a folder; name a file.`);
    return stats.size;
  } catch (error) {
    throw readFault(file, error);
  }
}

/** The first chunks, joined until they are long enough to tell what the content is. */
async function firstBytes(chunks: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < GZIP_MAGIC.length) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

function isGzip(head: Buffer): boolean {
  return head[0] === GZIP_MAGIC[0] && head[1] === GZIP_MAGIC[1];
}

async function* prepended(
  head: Buffer,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  yield head;
  yield* rest;
}

async function* gunzipped(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  // A failure of either side destroys the other and is thrown by the loop below.
  pipeline(Readable.from(chunks), gunzip, () => {});
  yield* gunzip as AsyncIterable<Buffer>;
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  Z_BUF_ERROR: 'it is gzip that ends too early',
  Z_DATA_ERROR: 'it is damaged gzip',
};

function readFault(name: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const reason = READ_FAULTS[String(error.code)] ?? error.message;
  return new CliError(`'${name}' cannot be read: ${reason}.`);
}
