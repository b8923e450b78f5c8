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
