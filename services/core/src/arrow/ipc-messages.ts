/**
 * Cuts the bytes of an Arrow IPC stream into its messages, and refuses what is too large before it is held: the reader behind believes every length
 * that a message states.
 *
 *     0xFFFFFFFF | metadata bytes, 4 | metadata (a flatbuffer that states the bytes of the body) | body
 *
 * A metadata length of 0 ends the stream; so does the end of the bytes between two messages.
 */
import { createHash, type Hash } from 'node:crypto';
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { BODY_DIGEST_BYTES } from '@allsource/shared/protocol';
import type { Arrow } from './arrow-library.ts';
import { metadataFault } from './check-metadata.ts';

const CONTINUATION = 0xffffffff;
const PREFIX_BYTES = 8;
const NOTHING = new Uint8Array(0);

export interface IpcMessagesOptions {
  readonly arrow: Arrow;
  readonly chunks: AsyncIterable<Buffer>;
  /** Largest body of a message, in bytes. */
  readonly bodyBytesMax: number;
  /** False saves the digests. */
  readonly isDigested: boolean;
}

interface IpcMessage {
  /** Whole, with its prefix. */
  readonly bytes: Buffer;
  readonly isBatch: boolean;
}

export class IpcMessages implements AsyncIterable<Uint8Array> {
  readonly #options: IpcMessagesOptions;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #hash: Hash = newHash();
  readonly #digests: Buffer[] = [];

  constructor(options: IpcMessagesOptions) {
    this.#options = options;
  }

  /**
   * A digest of the next record batch that was not asked for yet, with the schema and the dictionaries in front of it. When the library reads
   * is its own affair, so the digests are made here, where each message passes.
   */
  takeDigest(): Buffer {
    return this.#digests.shift() ?? Buffer.alloc(0);
  }

  /** The messages, each whole and with its prefix. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const chunks = this.#options.chunks[Symbol.asyncIterator]();
    try {
      for (;;) {
        const message = await this.#next(chunks);
        if (message === null) return;
        if (this.#options.isDigested) this.#digest(message);
        yield message.bytes;
        // The library asks for more before it hands out the last of what it has; with nothing it is content, and the client need not send more first.
        yield NOTHING;
      }
    } finally {
      await chunks.return?.();
    }
  }

  async #next(chunks: AsyncIterator<Buffer>): Promise<IpcMessage | null> {
    if (!(await this.#hold(chunks, PREFIX_BYTES))) {
      if (this.#heldBytes === 0) return null;
      throw cutOff();
    }
    const prefix = this.#peek(PREFIX_BYTES);
    if (prefix.readUInt32LE(0) !== CONTINUATION)
      throw notArrow('a message does not begin with FF FF FF FF');
    const metadataBytes = prefix.readUInt32LE(4);
    if (metadataBytes === 0) return null;
    if (metadataBytes > LIMITS.arrowMetadataBytesMax)
      throw tooLarge('metadata', metadataBytes, LIMITS.arrowMetadataBytesMax);
    const headBytes = PREFIX_BYTES + metadataBytes;
    if (!(await this.#hold(chunks, headBytes))) throw cutOff();
    const { bodyBytes, isBatch } = this.#head(this.#peek(headBytes).subarray(PREFIX_BYTES));
    if (!(await this.#hold(chunks, headBytes + bodyBytes))) throw cutOff();
    return { bytes: this.#take(headBytes + bodyBytes), isBatch };
  }

  #digest({ bytes, isBatch }: IpcMessage): void {
    this.#hash.update(bytes);
    if (!isBatch) return;
    this.#digests.push(this.#hash.digest().subarray(0, BODY_DIGEST_BYTES));
    this.#hash = newHash();
  }

  #head(metadata: Buffer): { readonly bodyBytes: number; readonly isBatch: boolean } {
    const { arrow, bodyBytesMax } = this.#options;
    const fault = metadataFault(metadata);
    if (fault !== null) throw notArrow(fault);
    let bytes = Number.NaN;
    let isBatch = false;
    try {
      const message = arrow.Message.decode(metadata);
      bytes = message.bodyLength;
      isBatch = message.isRecordBatch();
    } catch (error) {
      throw notArrow(`the metadata of a message cannot be read (${String(error)})`);
    }
    if (bytes > bodyBytesMax) throw tooLarge('body', bytes, bodyBytesMax);
    if (Number.isSafeInteger(bytes) && bytes >= 0) return { bodyBytes: bytes, isBatch };
    throw notArrow(`a message states a body of ${bytes} bytes`);
  }

  /** Reads until so many bytes are held; false when the stream ends before. */
  async #hold(chunks: AsyncIterator<Buffer>, bytes: number): Promise<boolean> {
    while (this.#heldBytes < bytes) {
      const next = await chunks.next();
      if (next.done === true) return false;
      this.#held.push(next.value);
      this.#heldBytes += next.value.length;
    }
    return true;
  }

  /** The first bytes of what is held, which stay. */
  #peek(bytes: number): Buffer {
    const [first] = this.#held;
    if (first !== undefined && first.length >= bytes) return first.subarray(0, bytes);
    const whole = Buffer.concat(this.#held);
    this.#held = [whole];
    return whole.subarray(0, bytes);
  }

  /** Takes the first bytes away, into memory of their own that columns of numbers may be laid over. */
  #take(bytes: number): Buffer {
    const message = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    while (at < bytes) {
      const part = this.#held.shift() as Buffer;
      const taken = part.copy(message, at);
      at += taken;
      if (taken < part.length) this.#held.unshift(part.subarray(taken));
    }
    this.#heldBytes -= bytes;
    return message;
  }
}

function newHash(): Hash {
  return createHash('sha256').update('arrow\n');
}

export function notArrow(reason: string): Problem {
  return problem(
    'malformed_arrow',
    `The body is not an Arrow IPC stream that is taken here: ${reason}.`,
  );
}

function cutOff(): Problem {
  return notArrow('it ends inside a message');
}

function tooLarge(part: 'metadata' | 'body', bytes: number, limit: number): Problem {
  return problem(
    'body_too_large',
    `The ${part} of an Arrow message is ${bytes} bytes; at most ${limit} are allowed. Send smaller record batches.`,
    { limit_bytes: limit, bytes },
  );
}
