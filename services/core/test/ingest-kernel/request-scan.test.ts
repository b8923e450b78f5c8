/**
 * The kernel's scan against the slow path and against JSON.parse. The law: what the kernel takes, the slow path takes too, with the same events at the
 * same places; so it never matters which of them a request meets. ALLSOURCE_TEST_FUZZ sets the number of documents, ALLSOURCE_TEST_SEED the seed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { micros } from '@allsource/shared/model';
import {
  type EventDraft,
  type IngestRequest,
  parseBatchRequest,
  parseSingleRequest,
} from '../../src/append/ingest-request.ts';
import type { EventSpans, Span } from '../../src/ingest-kernel/event-record.ts';
import { RandomRequests } from '../support/random-requests.ts';
import { testKernel } from '../support/test-kernel.ts';

const SUITE = join(
  import.meta.dirname,
  '../../../../../shared/data/json-parsing-suite/test_parsing',
);
const LIMITS = { payloadBytesMax: 4000, batchEventsMax: 5 };
const NOW = micros(1_790_000_000_000_000);
const kernel = testKernel();

type Shape = 'single' | 'batch';

/** What one reader made of a body, in one form for all of them. `at` are places in the body; JSON.parse knows none. */
interface Reading {
  readonly tenant: string | null;
  readonly events: readonly unknown[];
}

function scan(body: Buffer, shape: Shape): Reading | null {
  const rules = { ...LIMITS, now: NOW };
  const request =
    shape === 'single' ? kernel.scanSingle(body, rules) : kernel.scanBatch(body, rules);
  if (request === null) return null;
  const events = Array.from({ length: request.eventCount }, (_, i) =>
    fromSpans(body, kernel.spansOf(request, i)),
  );
  return { tenant: request.tenant, events };
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
function readSlowly(body: Buffer, shape: Shape): Reading | string {
  const context = { limits: LIMITS, now: NOW };
  try {
    const request =
      shape === 'single' ? parseSingleRequest(body, context) : parseBatchRequest(body, context);
    return fromDrafts(body, request);
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

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** Names and values as JSON.parse sees them, in the terms of the slow path's events. */
function expectSameAsParsed(body: Buffer, reading: Reading, parsed: unknown): void {
  const list = (parsed as { events?: unknown[] }).events ?? [parsed];
  const seen = reading.events as { type: string; entity: string; payload: [number, number] }[];
  expect(list).toHaveLength(seen.length);
  for (const [i, event] of seen.entries()) {
    const [start, bytes] = event.payload;
    const { event_type, entity_id, payload, tenant_id } = list[i] as Record<string, unknown>;
    const text = body.toString('utf8', start, start + bytes);
    const theirs = [event_type, entity_id, tenant_id ?? null, JSON.stringify(payload)];
    const ours = [event.type, event.entity, reading.tenant, JSON.stringify(JSON.parse(text))];
    if (theirs.join('\0') !== ours.join('\0')) expect(ours).toEqual(theirs);
  }
}

type Outcome = 'by the kernel' | 'by the slow path' | 'refused';

/** Checks the law for one body and says how it went. */
function compare(body: Buffer, shape: Shape): Outcome {
  const quick = scan(body, shape);
  const slow = readSlowly(body, shape);
  if (quick !== null && JSON.stringify(quick) !== JSON.stringify(inOrder(slow)))
    expect([body.toString('latin1'), quick]).toEqual([body.toString('latin1'), slow]);
  const parsed = parse(body);
  if (slow === 'malformed_json')
    expect([body.toString('latin1'), parsed]).toEqual([body.toString('latin1'), undefined]);
  else if (slow !== 'json_too_deep') expect(parsed).toBeDefined();
  if (typeof slow === 'string') return 'refused';
  expectSameAsParsed(body, slow, parsed);
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

it('kernel, slow path and JSON.parse read random and damaged requests alike', () => {
  const count = Number(process.env.ALLSOURCE_TEST_FUZZ ?? 100_000);
  const seed = Number(process.env.ALLSOURCE_TEST_SEED ?? Date.now() % 1_000_000_000);
  const requests = new RandomRequests(seed);
  const outcomes: Record<Outcome, number> = {
    'by the kernel': 0,
    'by the slow path': 0,
    refused: 0,
  };
  console.info(`request fuzz: seed ${seed}, ${count} documents`);
  for (let i = 0; i < count; i++) {
    const { bytes, shape, isPlain } = requests.next();
    const outcome = compare(bytes, shape);
    outcomes[outcome]++;
    if (isPlain && outcome !== 'by the kernel')
      expect([bytes.toString('latin1'), outcome]).toEqual([
        bytes.toString('latin1'),
        'by the kernel',
      ]);
  }
  console.info(`request fuzz: taken or refused ${JSON.stringify(outcomes)}`);
  for (const taken of Object.values(outcomes)) expect(taken).toBeGreaterThan(count / 100);
}, 1_800_000);

it('the published JSON parsing suite is judged alike inside requests', () => {
  const isThere = existsSync(SUITE);
  if (!isThere) console.warn('json-parsing-suite is not beside this clone: own cases are used');
  const cases = isThere
    ? readdirSync(SUITE).map((name) => readFileSync(join(SUITE, name)))
    : ['{}', '[1,]', '{"a":1}', '01', '"\\x"', 'nul', '[', '-', '1e', '"\t"'].map((text) =>
        Buffer.from(text),
      );
  const wrappings = ['payload', 'metadata', 'unknown'].flatMap(
    (member): [string, string, Shape][] => {
      const rest = member === 'payload' ? '' : ',"payload":1';
      const open = `{"event_type":"a","entity_id":"e"${rest},"${member}":`;
      return [
        [open, '}', 'single'],
        [`{"events":[${open}`, '}]}', 'batch'],
      ];
    },
  );
  const outcomes: Record<string, number> = {};
  for (const bytes of cases) {
    for (const [before, after, shape] of wrappings) {
      const outcome = compare(
        Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]),
        shape,
      );
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  }
  console.info(`json-parsing-suite: ${cases.length} documents, ${JSON.stringify(outcomes)}`);
});

it('limits are those of the slow path', () => {
  const event = (payload: string, rest = '') =>
    `{"event_type":"a","entity_id":"e","payload":${payload}${rest}}`;
  const batch = (count: number) =>
    `{"events":[${Array.from({ length: count }, () => event('1')).join()}]}`;
  const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;
  const outcomes: [string, Shape, Outcome][] = [
    [batch(5), 'batch', 'by the kernel'],
    [batch(6), 'batch', 'refused'],
    [event(text(4000)), 'single', 'by the kernel'],
    [event(text(4001)), 'single', 'refused'],
    [event('1', `,"metadata":${text(65_536)}`), 'single', 'by the kernel'],
    [event('1', `,"metadata":${text(65_537)}`), 'single', 'refused'],
    [event(`${'['.repeat(64)}${']'.repeat(64)}`), 'single', 'by the kernel'],
    [event(`${'['.repeat(65)}${']'.repeat(65)}`), 'single', 'refused'],
  ];
  for (const [body, shape, outcome] of outcomes)
    expect([body.slice(0, 60), compare(Buffer.from(body), shape)]).toEqual([
      body.slice(0, 60),
      outcome,
    ]);
});
