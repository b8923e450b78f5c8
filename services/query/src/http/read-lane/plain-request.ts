/**
 * Reads a GET in its plain form: HTTP/1.1, plain headers (service-kit's plain-headers.ts says what that is, and why it is narrow) and no body. All else is left to
 * Node's parser.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { PLAIN_LINES, plainHeaders } from '@allsource/service-kit/http';
import { LIMITS } from '@allsource/shared/limits';

export interface PlainRequest {
  /** Path and query, as they were sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  /** Where the next request begins. */
  readonly endsAt: number;
}

const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';
const REQUEST_LINE = /^GET (\/[!-~]*) HTTP\/1\.1$/;
const LINES = new RegExp(`^${PLAIN_LINES}$`);

/** Reads the requests of one connection. Clients send the same headers again and again: what they mean is remembered with their bytes. */
export class PlainRequests {
  #headerBytes: Buffer | null = null;
  #headers: IncomingHttpHeaders | null = null;

  /** Reads the request that `chunk` begins with. Null: it is not there as a whole, or not plain. */
  read(chunk: Buffer): PlainRequest | null {
    const end = chunk.indexOf(HEAD_END);
    if (end === -1 || end > LIMITS.headerBytesMax) return null;
    const lineEnd = chunk.indexOf(LINE_END);
    const match = REQUEST_LINE.exec(chunk.toString('latin1', 0, lineEnd));
    if (match === null) return null;
    const headers = this.#headersIn(chunk.subarray(lineEnd, end));
    return headers === null
      ? null
      : { target: match[1] as string, headers, endsAt: end + HEAD_END.length };
  }

  #headersIn(bytes: Buffer): IncomingHttpHeaders | null {
    if (this.#headerBytes?.equals(bytes) === true) return this.#headers;
    const lines = bytes.toString('latin1');
    const headers = LINES.test(lines) ? plainHeaders(lines) : null;
    if (headers === null || headers['content-length'] !== undefined) return null;
    this.#headerBytes = Buffer.from(bytes);
    this.#headers = headers;
    return headers;
  }
}
