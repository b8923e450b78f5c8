/**
 * Keyset cursors: a page that ends at an event is followed by what comes behind that event in the order of answers, whatever was appended meanwhile. A cursor says
 * for which tenant and which query it was given, so one of another is refused instead of leading somewhere by chance. It is no secret and grants
 * nothing: the tenant of a request always comes from its key.
 *
 *     byte 0      format, 1
 *     1..4        CRC-32 of all that follows
 *     5..12       hash of the tenant
 *     13..20      hash of the query, without its window
 *     21..44      timestamp, version and position of the last event, each a double
 *
 * In base64url: 60 characters.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import type { EventQuery } from '@allsource/shared/protocol';
import type { AnswerKey } from './answer-order.ts';

const FORMAT = 1;
const BYTES = 45;
const TENANT_AT = 5;
const QUERY_AT = 13;
const KEY_AT = 21;
const HASH_BYTES = 8;
const TEXT = /^[\w-]{60}$/;

/** Whose query a cursor continues. */
export interface CursorScope {
  readonly tenant: string;
  readonly query: EventQuery;
}

/** The cursor behind an event. */
export function cursorAfter(key: AnswerKey, scope: CursorScope): string {
  const bytes = Buffer.alloc(BYTES);
  bytes[0] = FORMAT;
  writeScope(bytes, scope);
  bytes.writeDoubleLE(key.timestamp, KEY_AT);
  bytes.writeDoubleLE(key.version, KEY_AT + 8);
  bytes.writeDoubleLE(key.position, KEY_AT + 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(TENANT_AT)), 1);
  return bytes.toString('base64url');
}

/** Where a cursor stands. Throws a problem that says why it cannot be used for this query. */
export function readCursor(text: string, scope: CursorScope): AnswerKey {
  const bytes = TEXT.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  if (bytes.length !== BYTES || bytes.readUInt32LE(1) !== crc32(bytes.subarray(TENANT_AT)))
    throw cursorFault(
      `${quoted(text)} is not a cursor of this service; take the 'next_cursor' of an answer as it is`,
    );
  if (bytes[0] !== FORMAT)
    throw cursorFault('it is of another version of this service; begin again without a cursor');
  const own = Buffer.alloc(BYTES);
  writeScope(own, scope);
  if (bytes.compare(own, TENANT_AT, QUERY_AT, TENANT_AT, QUERY_AT) !== 0)
    throw cursorFault('it was given to another tenant');
  if (bytes.compare(own, QUERY_AT, KEY_AT, QUERY_AT, KEY_AT) !== 0)
    throw cursorFault(
      'it was given for another query; filters and order must stay as they were, only limit may change',
    );
  return {
    timestamp: bytes.readDoubleLE(KEY_AT),
    version: bytes.readDoubleLE(KEY_AT + 8),
    position: bytes.readDoubleLE(KEY_AT + 16),
  };
}

function writeScope(bytes: Buffer, { tenant, query }: CursorScope): void {
  bytes.set(hashOfTenant(tenant), TENANT_AT);
  bytes.set(shortHash(queryText(query)), QUERY_AT);
}

let lastTenant = '';
let lastTenantHash = shortHash(lastTenant);

/** The last one is kept: most requests in a row are of one tenant. */
function hashOfTenant(tenant: string): Buffer {
  if (tenant !== lastTenant) {
    lastTenantHash = shortHash(tenant);
    lastTenant = tenant;
  }
  return lastTenantHash;
}

function shortHash(text: string): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, HASH_BYTES);
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
