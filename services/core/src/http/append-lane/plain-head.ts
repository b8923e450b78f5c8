/**
 * Reads the head of an append request in its plain form: HTTP/1.1, plain headers (service-kit's plain-headers.ts says what that is, and why it is narrow) and exactly one decimal
 * Content-Length. All else is left to Node's parser.
 */
import { PLAIN_LINES, plainHeaders } from '@allsource/service-kit/http';
import { LIMITS } from '@allsource/shared/limits';
import { type AppendHead, appendTarget } from '../append-route.ts';

/** A plain head: whose body has `bodyBytes` bytes and begins at `bodyAt`. */
export interface PlainHead extends AppendHead {
  readonly bodyBytes: number;
  readonly bodyAt: number;
}

const HEAD_END = '\r\n\r\n';
const PLAIN = new RegExp(`^POST (/[!-~]*) HTTP/1\\.1(${PLAIN_LINES})$`);
const LENGTH = /^\d{1,9}$/;
/** A longer head is read anew each time: it is kept for each connection. */
const KEPT_BYTES_MAX = 1024;

/** Reads the heads of one connection. A client mostly sends the same one again, byte for byte, and then it says the same. */
export class HeadReader {
  #bytes: Buffer | null = null;
  #head: PlainHead | null = null;

  /** Reads the head that `chunk` begins with, as {@link readPlainHead} does. */
  read(chunk: Buffer): PlainHead | null {
    if (this.#bytes !== null && beginsWith(chunk, this.#bytes)) return this.#head;
    const head = readPlainHead(chunk);
    if (head !== null && head.bodyAt <= KEPT_BYTES_MAX) {
      this.#bytes = Buffer.from(chunk.subarray(0, head.bodyAt));
      this.#head = head;
    }
    return head;
  }
}

function beginsWith(chunk: Buffer, bytes: Buffer): boolean {
  const { length } = bytes;
  return chunk.length >= length && chunk.compare(bytes, 0, length, 0, length) === 0;
}

/** Reads the head that `chunk` begins with. Null: it is not there as a whole, or not plain, or of another route. */
export function readPlainHead(chunk: Buffer): PlainHead | null {
  const end = chunk.indexOf(HEAD_END);
  if (end === -1 || end > LIMITS.headerBytesMax) return null;
  const match = PLAIN.exec(chunk.toString('latin1', 0, end));
  if (match === null) return null;
  const target = appendTarget(match[1] as string);
  const headers = target === null ? null : plainHeaders(match[2] as string);
  if (target === null || headers === null) return null;
  const length = headers['content-length'] ?? '';
  if (!LENGTH.test(length)) return null;
  return {
    ...target,
    headers,
    bodyBytes: Number(length),
    bodyAt: end + HEAD_END.length,
  };
}
