/** The readers of an append's body side by side: the kernel's scan, the slow path, and JSON.parse. */
import assert from 'node:assert/strict';
import { Problem } from '@allsource/shared/errors';
import { micros } from '@allsource/shared/model';
import { parseLines } from '../../src/append/ingest-lines.ts';
import {
  type EventDraft,
  type IngestRequest,
  parseBatchRequest,
  parseSingleRequest,
} from '../../src/append/ingest-request.ts';
import type { EventSpans, Span } from '../../src/ingest-kernel/event-record.ts';
import type { BodyShape } from './random-requests.ts';
import { testKernel } from './test-kernel.ts';

const LIMITS = { payloadBytesMax: 4000, batchEventsMax: 5 };
const NOW = micros(1_790_000_000_000_000);
const LINE_FEED = 0x0a;
const PARSERS = { single: parseSingleRequest, batch: parseBatchRequest, lines: parseLines };
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const kernel = testKernel();

/** What one reader made of a body, in one form for all of them. `at` are places in the body; JSON.parse knows none. */
interface Reading {
  readonly tenant: string | null;
  readonly events: readonly unknown[];
}

function scan(body: Buffer, shape: BodyShape): Reading | null {
  const rules = { ...LIMITS, now: NOW };
  // A body comes in parts, cut anywhere.
  const cut = body.length % 97;
  const parts = [body.subarray(0, cut), body.subarray(cut)];
  const scans = {
    single: () => kernel.scanSingle(parts, rules),
    batch: () => kernel.scanBatch(parts, rules),
    lines: () => kernel.scanLines({ parts, lineFeeds: feedsIn(body) }, rules),
  };
  const request = scans[shape]();
  if (request === null) return null;
  const events = Array.from({ length: request.eventCount }, (_, i) =>
    fromSpans(body, kernel.spansOf(request, i)),
  );
  return { tenant: request.tenant, events };
}

function feedsIn(body: Buffer): number {
  let feeds = 0;
  for (const byte of body) if (byte === LINE_FEED) feeds += 1;
  return feeds;
}

function fromSpans(body: Buffer, spans: EventSpans): unknown {
  const text = ({ start, bytes }: Span) => body.toString('utf8', start, start + bytes);
  return {
    type: text(spans.type),
    entity: text(spans.entity),
    payload: [spans.payload.start, spans.payload.bytes],
    metadata: spans.metadata === null ? null : [spans.metadata.start, spans.metadata.bytes],
    timestamp: spans.timestamp,
    expectedVersion: spans.expectedVersion,
  };
}

/** The code of the refusal, or the reading. */
function readSlowly(body: Buffer, shape: BodyShape): Reading | string {
  const context = { limits: LIMITS, now: NOW };
  try {
    return fromDrafts(body, PARSERS[shape](body, context));
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

function fromDrafts(body: Buffer, { tenant, events }: IngestRequest): Reading {
  const place = (part: Buffer) => [part.byteOffset - body.byteOffset, part.length];
  const event = ({ payload, metadata, ...rest }: EventDraft) => ({
    ...rest,
    payload: place(payload),
    metadata: metadata === null ? null : place(metadata),
  });
  return { tenant, events: events.map(event) };
}

/** The lines that are not blank. */
function linesOf(body: Buffer): Buffer[] {
  const lines = body.toString('latin1').split('\n');
  return lines.filter((line) => /[^ \t\r]/.test(line)).map((line) => Buffer.from(line, 'latin1'));
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(DECODER.decode(body));
  } catch {
    return undefined;
  }
}

/** Names and values as JSON.parse sees them, in the terms of the slow path's events. */
function assertSameAsParsed(body: Buffer, reading: Reading, list: readonly unknown[]): void {
  const seen = reading.events as { type: string; entity: string; payload: [number, number] }[];
  assert.equal(list.length, seen.length);
  for (const [i, event] of seen.entries()) {
    const [start, bytes] = event.payload;
    const { event_type, entity_id, payload, tenant_id } = list[i] as Record<string, unknown>;
    const text = body.toString('utf8', start, start + bytes);
    const theirs = [event_type, entity_id, tenant_id ?? null, JSON.stringify(payload)];
    const ours = [event.type, event.entity, reading.tenant, JSON.stringify(JSON.parse(text))];
    assert.equal(ours.join('\0'), theirs.join('\0'));
  }
}

export type ReadingOutcome = 'by the kernel' | 'by the slow path' | 'refused';

/** Checks the law for one body and says how it went. */
export function compareReadings(body: Buffer, shape: BodyShape): ReadingOutcome {
  const quick = scan(body, shape);
  const slow = readSlowly(body, shape);
  const shown = body.toString('latin1');
  if (quick !== null) assert.equal(JSON.stringify(quick), JSON.stringify(inOrder(slow)), shown);
  const documents = shape === 'lines' ? linesOf(body).map(parse) : [parse(body)];
  if (slow === 'malformed_json') assert(documents.includes(undefined), shown);
  // The first bad line is the answer, whatever is wrong with it; one behind it may be no JSON.
  else if (typeof slow !== 'string' || (shape !== 'lines' && slow !== 'json_too_deep'))
    assert(!documents.includes(undefined), shown);
  if (typeof slow === 'string') return 'refused';
  const list = shape === 'batch' ? (documents[0] as { events: unknown[] }).events : documents;
  assertSameAsParsed(body, slow, list);
  return quick === null ? 'by the slow path' : 'by the kernel';
}

/** The members in the kernel's order, for a cheap comparison as text. */
function inOrder(slow: Reading | string): unknown {
  if (typeof slow === 'string') return slow;
  const events = (slow.events as Record<string, unknown>[]).map(
    ({ type, entity, payload, metadata, timestamp, expectedVersion }) => ({
      type,
      entity,
      payload,
      metadata,
      timestamp,
      expectedVersion,
    }),
  );
  return { tenant: slow.tenant, events };
}
