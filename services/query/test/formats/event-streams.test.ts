/** Answers as NDJSON and Arrow, over HTTP, held against the JSON answers to the same questions. */
import { get as httpGet, type IncomingMessage } from 'node:http';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups } from '@allsource/testkit';
import { RecordBatchReader, type Table, tableFromIPC } from 'apache-arrow';
import { LIMITS } from '@allsource/shared/limits';
import { streamFormatOf } from '@allsource/shared/protocol';
import { eventRoutes } from '../../src/http/event-routes.ts';
import { withEventStreams } from '../../src/http/event-stream-routes.ts';
import { ReadGate } from '../../src/reads/read-gate.ts';
import { fakeFollower } from '../support/fake-follower.ts';
import { GeneratedLog, randomLog } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import { type Served, serveRoutes } from '../support/serve-routes.ts';

const ARROW = 'application/vnd.apache.arrow.stream';
const NDJSON = 'application/x-ndjson';
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

interface World extends ReadSide {
  readonly folder: string;
  readonly log: GeneratedLog;
  readonly served: Served;
}

async function world(log: GeneratedLog, blockEvents = 64): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-formats-'));
  cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
  const side = await openReadSide(folder, blockEvents);
  cleanups.add(() => side.history.close());
  await follow(side.history, log);
  const follower = fakeFollower(side.history, log.head);
  const gate = new ReadGate({ follower, store: side.history, waitMs: 50 });
  const options = { ...side, gate };
  const served = await serveRoutes(withEventStreams(eventRoutes(options), options));
  cleanups.add(() => served.close());
  return { ...side, folder, log, served };
}

// oxlint-disable-next-line eslint/max-params -- what, in which form, and whose.
async function ask({ served }: World, asked: string, accept: string, tenant = 'acme') {
  const headers = { accept, 'x-test-tenant': tenant };
  const url = `http://127.0.0.1:${served.port}/api/v1/events/query?${asked}`;
  const response = await fetch(url, { headers });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** An event as all formats tell it, the texts byte for byte. */
interface TextEvent {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly entity: string;
  readonly tenant: string;
  readonly version: number;
  readonly timestamp: number;
  readonly recordedAt: number;
  readonly payload: string;
  readonly metadata: string | null;
}

function arrowEvents(bytes: Buffer): TextEvent[] {
  const table = tableFromIPC(bytes);
  return Array.from({ length: table.numRows }, (_, row) => {
    const value = (name: string): unknown => table.getChild(name)?.get(row);
    const micros = (name: string) => Number(rawValue(table, name, row));
    return {
      position: Number(value('position')),
      id: String(value('id')),
      type: String(value('event_type')),
      entity: String(value('entity_id')),
      tenant: String(value('tenant_id')),
      version: Number(value('version')),
      timestamp: micros('timestamp'),
      recordedAt: micros('recorded_at'),
      payload: String(value('payload')),
      metadata: value('metadata') as string | null,
    };
  });
}

/** Timestamps come out of `get` as milliseconds; their column holds microseconds. */
function rawValue(table: Table, name: string, row: number): bigint {
  let at = row;
  for (const { length, values } of table.getChild(name)?.data ?? []) {
    if (at < length) return (values as BigInt64Array)[at] as bigint;
    at -= length;
  }
  throw new RangeError(`there is no row ${row}`);
}

const wanted = (one: World, ids: readonly string[]): TextEvent[] => {
  const known = new Map(one.log.events.map((event) => [event.id, event]));
  return ids.map((id) => {
    const event = known.get(id);
    if (event === undefined) throw new RangeError(`the log has no event ${id}`);
    const { partition: _, ...told } = event;
    return told;
  });
};

function question(random: Random, log: GeneratedLog): string {
  const values = new URLSearchParams();
  const some = () => random.pick(log.events);
  const maybe = (name: string, value: () => string | number) => {
    if (random.chance(0.25)) values.set(name, String(value()));
  };
  const time = () => new Date(some().timestamp / 1000).toISOString();
  maybe('entity_id', () => some().entity);
  maybe('event_type', () => some().type);
  maybe('event_type_prefix', () => random.pick(['order', 'user']));
  maybe('exclude_event_type_prefix', () => 'order.p,note');
  maybe('since', time);
  maybe('until', time);
  maybe('payload_filter', () => random.pick(['{"status":"open"}', '{"n":1}']));
  maybe('limit', () => random.below(60));
  maybe('offset', () => random.below(60));
  maybe('order', () => random.pick(['asc', 'desc']));
  return values.toString();
}

describe('a query answered as a stream', () => {
  it('has the events of the JSON answer, in its order, payloads byte for byte', async () => {
    const random = new Random(propertySeed('formats'));
    const log = randomLog({ seed: random.below(1e9), events: 900, pastShare: 0.2 });
    const one = await world(log, random.pick([50, 300]));
    for (let i = 0; i < 25; i++) {
      const asked = question(random, log);
      const tenant = random.pick(['acme', 'globex']);
      const json = JSON.parse(String((await ask(one, asked, 'application/json', tenant)).bytes));
      const expected = wanted(
        one,
        json.events.map((event: { id: string }) => event.id),
      );

      const arrow = await ask(one, asked, ARROW, tenant);
      expect(arrow.response.headers.get('content-type')).toBe(ARROW);
      expect(arrow.response.headers.get('x-allsource-count')).toBe(String(expected.length));
      expect(arrowEvents(arrow.bytes)).toEqual(expected);

      const lines = await ask(one, asked, NDJSON, tenant);
      expect(lines.response.headers.get('content-type')).toBe(NDJSON);
      expect(lines.response.headers.get('x-allsource-count')).toBe(String(expected.length));
      const text = String(lines.bytes);
      expect(text === '' || text.endsWith('}\n')).toBe(true);
      const objects = text.split('\n').slice(0, -1);
      expect(objects.map((line) => JSON.parse(line) as unknown)).toEqual(json.events);
      for (const [at, { payload }] of expected.entries())
        expect(objects[at]).toContain(`"payload":${payload.replaceAll(/[\r\n]/g, ' ')},`);
    }
  });

  it('in the order of the log has every event once, and goes on behind any of them', async () => {
    const random = new Random(propertySeed('log order'));
    const log = randomLog({ seed: random.below(1e9), events: 900, pastShare: 0.5 });
    const one = await world(log, 100);
    for (let i = 0; i < 15; i++) {
      const values = new URLSearchParams(question(random, log));
      for (const name of ['order', 'limit', 'offset']) values.delete(name);
      const json = JSON.parse(
        String((await ask(one, values.toString(), 'application/json')).bytes),
      );
      const expected = wanted(
        one,
        json.events.map((event: { id: string }) => event.id),
      ).sort((a, b) => a.position - b.position);
      values.set('order', 'position');
      const whole = await ask(one, values.toString(), ARROW);
      expect(arrowEvents(whole.bytes)).toEqual(expected);
      const isFiltered = values.has('payload_filter');
      expect(whole.response.headers.get('x-allsource-count')).toBe(
        isFiltered ? null : String(expected.length),
      );
      const [from, until] = [random.below(log.head), random.below(log.head)];
      values.set('from_position', String(from));
      values.set('until_position', String(until));
      const [offset, limit] = [random.below(20), 1 + random.below(200)];
      values.set('offset', String(offset));
      values.set('limit', String(limit));
      const part = await ask(one, values.toString(), NDJSON);
      const inside = expected
        .filter(({ position }) => position >= from && position <= until)
        .slice(offset, offset + limit);
      const positions = String(part.bytes)
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { position: number }).position);
      expect(positions).toEqual(inside.map(({ position }) => position));
      expect(part.response.headers.get('x-allsource-count')).toBe(
        isFiltered ? null : String(inside.length),
      );
    }
  });

  it('keeps line breaks inside of payloads in Arrow, and an event on one line in NDJSON', async () => {
    const log = new GeneratedLog();
    const payload = '{\n  "a": 1.0,\r\n  "text": "x\\ny"\n}';
    log.commit('acme', [{ type: 'note', entity: 'e', payload, metadata: '[\n1]' }]);
    const one = await world(log);
    const [event] = arrowEvents((await ask(one, '', ARROW)).bytes);
    expect([event?.payload, event?.metadata]).toEqual([payload, '[\n1]']);
    const { bytes } = await ask(one, '', NDJSON);
    expect(String(bytes).split('\n')).toHaveLength(2);
    expect(JSON.parse(String(bytes)).payload).toEqual(JSON.parse(payload));
  });

  it('without events is an empty answer with its schema, and shows no other tenant', async () => {
    const log = randomLog({ seed: 4, events: 50, pastShare: 0 });
    log.commit('acme', [{ type: 'secret.type', entity: 'secret-entity' }]);
    const one = await world(log);
    const arrow = await ask(one, '', ARROW, 'nobody');
    expect(tableFromIPC(arrow.bytes).schema.fields.map(({ name }) => name)).toEqual([
      'position',
      'id',
      'event_type',
      'entity_id',
      'tenant_id',
      'version',
      'timestamp',
      'recorded_at',
      'payload',
      'metadata',
    ]);
    expect(arrow.bytes.includes('secret')).toBe(false);
    expect((await ask(one, '', ARROW, 'globex')).bytes.includes('secret')).toBe(false);
    expect((await ask(one, '', ARROW, 'acme')).bytes.includes('secret')).toBe(true);
    expect((await ask(one, '', NDJSON, 'nobody')).bytes).toHaveLength(0);
  });

  it('says what it cannot do', async () => {
    const one = await world(randomLog({ seed: 4, events: 10, pastShare: 0 }));
    for (const [asked, parameter] of [
      ['cursor=abc', 'cursor'],
      ['explain=true', 'explain'],
      ['from_position=3', 'from_position'],
      ['until_position=3&order=desc', 'until_position'],
      ['order=position&from_position=-1', 'from_position'],
      ['order=sideways', 'order'],
    ]) {
      const { response, bytes } = await ask(one, asked as string, NDJSON);
      expect([asked, response.status, JSON.parse(String(bytes)).parameter]).toEqual([
        asked,
        400,
        parameter,
      ]);
    }
  });
});

const LARGE = `{"text":"${'x'.repeat(30_000)}"}`;

/** A log of about 24 MB. */
function largeLog(): GeneratedLog {
  const log = new GeneratedLog();
  for (let i = 0; i < 40; i++) {
    const drafts = Array.from({ length: 20 }, (_, n) => ({
      type: 'large.one',
      entity: `e-${n}`,
      payload: LARGE,
    }));
    log.commit('acme', drafts);
  }
  return log;
}

function open(one: World, accept: string): Promise<IncomingMessage> {
  const headers = { accept, 'x-test-tenant': 'acme' };
  const path = '/api/v1/events/query?order=position';
  return new Promise((resolve, reject) => {
    httpGet({ port: one.served.port, path, headers, agent: false }, resolve).on('error', reject);
  });
}

describe.each([NDJSON, ARROW])('long answers as %s', (accept) => {
  it('make room when nobody reads them to their end, are read no faster than their readers, and are cut where a block is damaged', async () => {
    const one = await world(largeLog(), 200);
    const answers = await Promise.all(
      Array.from({ length: LIMITS.exportsMax }, () => open(one, accept)),
    );
    const refused = await open(one, accept);
    expect(refused.statusCode).toBe(503);
    refused.resume();
    const [first, second, ...others] = answers;
    for (const answer of answers) answer.on('error', () => {});
    for (const answer of others) answer.destroy();
    expect(await statusWhenThereIsRoom(one, accept)).toBe(200);

    // Two are left that nobody has read: each fills what the sockets hold, and waits.
    harmLastBlock(one.folder);
    // Had they been made ahead of their readers, the damage would have come too late.
    for (const answer of [first, second]) {
      const length = await readToItsEnd(answer as IncomingMessage);
      expect(answer?.complete).toBe(false);
      expect(length).toBeGreaterThan(1_000_000);
    }
  });
});

async function statusWhenThereIsRoom(one: World, accept: string): Promise<number | undefined> {
  for (let tries = 0; tries < 200; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answer = await open(one, accept);
    answer.on('error', () => {});
    answer.destroy();
    if (answer.statusCode !== 503) return answer.statusCode;
  }
  return 503;
}

function harmLastBlock(folder: string): void {
  const blocks = readdirSync(folder).filter((name) => name.endsWith('.block'));
  const last = join(folder, blocks.toSorted().at(-1) as string);
  const bytes = readFileSync(last);
  bytes.fill(0xff, bytes.length - 2_000);
  writeFileSync(last, bytes);
}

/** Reads until it ends or is cut; returns how many bytes came. */
function readToItsEnd(answer: IncomingMessage): Promise<number> {
  let length = 0;
  answer.on('data', (chunk: Buffer) => {
    length += chunk.length;
  });
  return new Promise((resolve) => answer.on('close', () => resolve(length)));
}

it('an Arrow stream has several batches and ends with its marker', async () => {
  const log = new GeneratedLog();
  for (let i = 0; i < 60; i++)
    log.commit(
      'acme',
      Array.from({ length: 100 }, (_, n) => ({ type: 'a.b', entity: `e-${n}` })),
    );
  const one = await world(log, 1_000);
  const { bytes } = await ask(one, '', ARROW);
  const sizes = [...RecordBatchReader.from(bytes)].map((batch) => batch.numRows);
  expect(sizes).toEqual([4_096, 6_000 - 4_096]);
  expect([...bytes.subarray(-8)]).toEqual([255, 255, 255, 255, 0, 0, 0, 0]);
});

it.each([
  [undefined, null],
  ['*/*', null],
  ['application/json', null],
  ['text/html', null],
  [NDJSON, 'ndjson'],
  [ARROW.toUpperCase(), 'arrow'],
  [`application/json;q=0.5, ${ARROW}`, 'arrow'],
  [`${NDJSON};q=0.2, application/json`, null],
  [`${NDJSON}, ${ARROW}`, 'ndjson'],
  [`${NDJSON};q=0.3, ${ARROW};q=0.7`, 'arrow'],
  [`${NDJSON};q=0`, null],
  [`${NDJSON}, application/json`, 'ndjson'],
])('Accept: %s asks for %s', (accept, format) => {
  expect(streamFormatOf(accept)).toBe(format);
});
