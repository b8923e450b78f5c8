/**
 * The feed: how core hands its log to readers, over HTTP and on NATS. It is a sequence of messages, each either a frame (see
 * frame.ts) or a head notice. A head notice says how far the log reaches at that moment, so that an idle reader knows that it has caught
 * up, and a reader of a filtered feed moves on over what was filtered out. It also stands in on NATS for a frame over the server's
 * message limit: the reader sees the gap and reads the frame from core.
 *
 *     offset  size  head notice, 32 bytes, little-endian
 *     0       4     magic "ASH1"
 *     4       4     message bytes, 32
 *     8       4     CRC-32 of bytes 12 .. 32
 *     12      4     zero
 *     16      8     head: the position of the last durable event
 *     24      8     log id
 *
 * Routes of core, for callers with the internal token:
 *     GET /internal/v1/feed?from=P[&to=Q][&only=system]   messages from position P on; without `to` it stays open and follows
 *     GET /internal/v1/head                               {"head": P, "log_id": hex, "writer": hex}
 * `writer` is there when core posts its head in memory (head-post.ts).
 * `from` may lie inside a frame: the first frame sent is the one that holds it.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../lang/assert.ts';
import { type Position, position } from '../model/position.ts';
import { decodeFrame, type Frame, LOG_ID_BYTES } from './frame.ts';

const HEAD_MAGIC = 0x31485341; // "ASH1"
const HEAD_NOTICE_BYTES = 32;

export const FEED_CONTENT_TYPE = 'application/vnd.allsource.frames';
export const FEED_PATH = '/internal/v1/feed';
export const HEAD_PATH = '/internal/v1/head';
/** The header that carries the internal token between services. */
export const INTERNAL_TOKEN_HEADER = 'x-allsource-internal-token';
/** The NATS subject of all frames. */
export const COMMITS_SUBJECT = 'allsource.commits';

export type FeedMessage =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'head'; readonly head: Position; readonly logId: Buffer };

/** A feed that breaks its own format: the connection is of no use any more. */
export class FeedDamagedError extends Error {
  override readonly name = 'FeedDamagedError';
}

/** Encodes a head notice. */
export function encodeHeadNotice(head: Position, logId: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_NOTICE_BYTES);
  bytes.writeUInt32LE(HEAD_MAGIC, 0);
  bytes.writeUInt32LE(HEAD_NOTICE_BYTES, 4);
  bytes.writeBigUInt64LE(BigInt(head), 16);
  bytes.set(logId, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
  return bytes;
}

/** Cuts a byte stream into feed messages. A message is kept only until its last byte has come. */
export class FeedDecoder {
  #rest: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #bytesNeeded = 8;

  /** Takes the next bytes and returns the messages that are whole with them. Throws {@link FeedDamagedError} on damage. */
  push(chunk: Buffer): FeedMessage[] {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    // Large frames come in many chunks; they are joined once, when enough bytes are there, not once a chunk.
    if (this.#rest.length + this.#chunkBytes < this.#bytesNeeded) return [];
    this.#rest = Buffer.concat([this.#rest, ...this.#chunks]);
    this.#chunks = [];
    this.#chunkBytes = 0;
    return this.#cut();
  }

  #cut(): FeedMessage[] {
    const messages: FeedMessage[] = [];
    let offset = 0;
    this.#bytesNeeded = 8;
    while (offset < this.#rest.length) {
      const step = decodeFeedMessage(this.#rest, offset);
      if (step.kind === 'incomplete') {
        this.#bytesNeeded = step.bytesNeeded;
        break;
      }
      messages.push(step.message);
      offset += step.bytes;
    }
    this.#rest = this.#rest.subarray(offset);
    return messages;
  }
}

type FeedStep =
  | { readonly kind: 'message'; readonly message: FeedMessage; readonly bytes: number }
  | { readonly kind: 'incomplete'; readonly bytesNeeded: number };

function decodeFeedMessage(source: Buffer, offset: number): FeedStep {
  const available = source.length - offset;
  if (available >= 4 && source.readUInt32LE(offset) === HEAD_MAGIC) {
    if (available < HEAD_NOTICE_BYTES)
      return { kind: 'incomplete', bytesNeeded: HEAD_NOTICE_BYTES };
    return { kind: 'message', message: decodeHeadNotice(source, offset), bytes: HEAD_NOTICE_BYTES };
  }
  const decoded = decodeFrame(source, offset);
  switch (decoded.kind) {
    case 'frame':
      return { kind: 'message', message: decoded, bytes: decoded.frame.bytes.length };
    case 'incomplete':
      return decoded;
    case 'empty':
      throw new FeedDamagedError('the feed holds zeros where a message should start');
    case 'damaged':
      throw new FeedDamagedError(`the feed holds a damaged frame: ${decoded.reason}`);
  }
}

function decodeHeadNotice(source: Buffer, offset: number): FeedMessage {
  const bytes = source.subarray(offset, offset + HEAD_NOTICE_BYTES);
  if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(12)))
    throw new FeedDamagedError('the feed holds a damaged head notice');
  const head = position(Number(bytes.readBigUInt64LE(16)));
  return { kind: 'head', head, logId: Buffer.from(bytes.subarray(24, 24 + LOG_ID_BYTES)) };
}

/** Decodes a byte string that is exactly one message, such as the body of a NATS message. */
export function decodeSingleFeedMessage(bytes: Buffer): FeedMessage {
  const step = decodeFeedMessage(bytes, 0);
  if (step.kind !== 'message' || step.bytes !== bytes.length)
    throw new FeedDamagedError('not exactly one feed message');
  assert(step.message !== undefined, 'a decoded message');
  return step.message;
}
