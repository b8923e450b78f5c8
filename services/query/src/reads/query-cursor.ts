/**
 * Keyset cursors: a page that ends at an event is followed by what comes behind that event in the order of answers, whatever was appended meanwhile. A cursor says
 * for which tenant and which query it was given, so one of another is refused instead of leading somewhere by chance. It is no secret and grants
 * nothing: the tenant of a request always comes from its key.
 *
 *     byte 0      format, 2
 *     1..4        CRC-32 of all that follows
 *     5..8        CRC-32 of the tenant
 *     9..12       CRC-32 of the query, without its window
 *     13..36      timestamp, version and position of the last event, each a double
 *
 * In base64url: 50 characters.
 */
import { crc32 } from 'node:zlib';
import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import type { EventQuery } from '@allsource/shared/protocol';
import type { AnswerKey } from './answer-order.ts';

const FORMAT = 2;
const BYTES = 37;
const CHECKSUM_AT = 1;
const TENANT_AT = 5;
const QUERY_AT = 9;
const KEY_AT = 13;
const TEXT = /^[\w-]{10,100}$/;
/** The cursor that is being made. */
const made = Buffer.alloc(BYTES);
const checked = made.subarray(TENANT_AT);

/** Whose query a cursor continues. */
export interface CursorScope {
  readonly tenant: string;
  readonly query: EventQuery;
}

/** The cursor behind an event. */
export function cursorAfter(key: AnswerKey, scope: CursorScope): string {
  made[0] = FORMAT;
  made.writeUInt32LE(crc32(scope.tenant), TENANT_AT);
  made.writeUInt32LE(crc32(queryText(scope.query)), QUERY_AT);
  made.writeDoubleLE(key.timestamp, KEY_AT);
  made.writeDoubleLE(key.version, KEY_AT + 8);
  made.writeDoubleLE(key.position, KEY_AT + 16);
  made.writeUInt32LE(crc32(checked), CHECKSUM_AT);
  return made.toString('base64url');
}

/** Where a cursor stands. Throws a problem that says why it cannot be used for this query. */
export function readCursor(text: string, scope: CursorScope): AnswerKey {
  const bytes = TEXT.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  if (
    bytes.length <= TENANT_AT ||
    bytes.readUInt32LE(CHECKSUM_AT) !== crc32(bytes.subarray(TENANT_AT))
  )
    throw cursorFault(
      `${quoted(text)} is not a cursor of this service; take the 'next_cursor' of an answer as it is`,
    );
  if (bytes[0] !== FORMAT || bytes.length !== BYTES)
    throw cursorFault('it is of another version of this service; begin again without a cursor');
  if (bytes.readUInt32LE(TENANT_AT) !== crc32(scope.tenant))
    throw cursorFault('it was given to another tenant');
  if (bytes.readUInt32LE(QUERY_AT) !== crc32(queryText(scope.query)))
    throw cursorFault(
      'it was given for another query; filters and order must stay as they were, only limit may change',
    );
  return {
    timestamp: bytes.readDoubleLE(KEY_AT),
    version: bytes.readDoubleLE(KEY_AT + 8),
    position: bytes.readDoubleLE(KEY_AT + 16),
  };
}

function queryText(query: EventQuery): string {
  const { entity, type, typePrefix, since, until, recordedUntil, payloadFilter, order } = query;
  const excluded = [...new Set(query.excludedTypePrefixes)].sort();
  const filter = payloadFilter?.canonicalText ?? null;
  return JSON.stringify([
    entity,
    type,
    typePrefix,
    excluded,
    since,
    until,
    recordedUntil,
    filter,
    order,
  ]);
}

function cursorFault(reason: string): Error {
  return problem('invalid_parameter', `'cursor' cannot be used: ${reason}.`, {
    parameter: 'cursor',
  });
}
