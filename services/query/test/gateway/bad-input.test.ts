/** Bad input on every read of the gateway: a clear problem or a plain answer, never a failure inside. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { propertySeed, Random } from '../support/random.ts';
import { ACME, type GatewayWorld, gatewayWorld } from './gateway-world.ts';

/** Every parameter of every read; what a route does not know it passes over. */
const PARAMETERS = [
  'entity_id',
  'event_type',
  'event_type_prefix',
  'exclude_event_type_prefix',
  'since',
  'until',
  'as_of',
  'as_of_recorded',
  'payload_filter',
  'limit',
  'offset',
  'order',
  'cursor',
  'explain',
  'min_position',
  'consistency',
  'tenant_id',
  'start',
  'end',
  'stream_id',
  'group_by',
  'window',
  'month_step',
  'time_window_seconds',
  'event_type_a',
  'event_type_b',
  'entity_id_prefix',
];

const HOSTILE = [
  ' ',
  '-1',
  '1.5',
  '1e9',
  '0x10',
  'NaN',
  'Infinity',
  '99999999999999999999',
  'null',
  'undefined',
  'true',
  '[]',
  '{}',
  '{"',
  '{"a":1',
  '{"a":1}}',
  `{"a":${'['.repeat(900)}${']'.repeat(900)}}`,
  '[1]',
  '"x"',
  'yesterday',
  '2020-13-01T00:00:00Z',
  '2020-02-30T00:00:00Z',
  '2020-01-01',
  '2020-01-01T00:00:00',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '1600-01-01T00:00:00+23:59',
  "' OR 1=1 --",
  '../../etc/passwd',
  '\u0000',
  '\u{1F389}',
  '\u202E',
  'ä'.repeat(300),
  `${'a'.repeat(4000)}!`,
  ','.repeat(3000),
  Array.from({ length: 500 }, (_, i) => `p${i}`).join(','),
  '*',
  '.*.*.*.*.*.*x',
  '(a+)+$',
  '__proto__',
  'constructor',
  'asc,desc',
  'DESC',
  'default',
  '*'.repeat(128),
];
const PATH_VALUES = [
  'x',
  'order-1',
  '%00',
  '%2e%2e',
  'a%2fb',
  '%F0%9F%8E%89',
  '__proto__',
  '018f0000-0000-7000-8000-000000000001',
  'z'.repeat(3000),
];

const STATUSES = new Set([200, 400, 403, 404, 422, 501, 503]);

function fill(path: string, random: Random): string {
  return path.replaceAll(/:\w+/g, () => random.pick(PATH_VALUES));
}

/** What is wrong with an answer to hostile input; null when it is a plain answer or a clear problem. */
function faultOf({ status, headers, body, text }: Answer): string | null {
  if (!STATUSES.has(status)) return `status ${status}: ${text.slice(0, 200)}`;
  if (status === 200 || status === 501) return null;
  // The only 503 that bad input may cause: a position that nobody has reached.
  if (status === 503 && !text.includes('read_behind')) return text.slice(0, 200);
  const { code, message } = body.error as { code?: string; message?: string };
  if (typeof code !== 'string' || code === 'internal') return `code ${code}`;
  if (typeof message !== 'string' || message.length < 16) return `message ${message}`;
  if (code === 'invalid_parameter' && typeof body.parameter !== 'string')
    return `no parameter is named: ${message}`;
  const type = headers.get('content-type') ?? '';
  return type.startsWith('application/problem+json') ? null : `content type ${type}`;
}

describe('bad input on the reads of the gateway', () => {
  const seed = propertySeed('bad input of reads');
  let world: GatewayWorld;
  let paths: string[] = [];

  beforeAll(async () => {
    world = await gatewayWorld({ ALLSOURCE_READ_WAIT_MS: '100' });
    world.core.append('acme', [
      { type: 'order.placed', entity: 'order-1', payload: '{"a":1}' },
      { type: 'order.paid', entity: 'order-1', payload: '[1]' },
    ]);
    paths = world.service.routes
      .filter(
        ({ method, needs, path }) =>
          method === 'GET' &&
          needs === 'read' &&
          /\/(events|entities|streams|event-types|analytics|stats)\b/.test(path),
      )
      .map(({ path }) => path);
  });
  afterAll(() => world.close());

  it('one hostile value at parameters of each read', async () => {
    const random = new Random(seed);
    const faults: object[] = [];
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      for (const name of PARAMETERS) {
        if (name === 'min_position' || random.chance(0.6)) continue;
        const value = random.pick(HOSTILE);
        const target = `${fill(path, random)}?${name}=${encodeURIComponent(value)}`;
        const fault = faultOf(await world.ask(target, { key: ACME }));
        if (fault !== null) faults.push({ target, fault });
      }
    }
    expect(faults).toEqual([]);
  });

  it('many at once, twice, empty, and half encoded', async () => {
    const random = new Random(seed + 1);
    const faults: object[] = [];
    for (let i = 0; i < 200; i++) {
      const pairs = Array.from({ length: random.below(5) }, () => {
        const value = random.pick(HOSTILE).slice(0, 1500);
        const name = random.pick(PARAMETERS.filter((one) => one !== 'min_position'));
        return `${name}=${random.chance(0.1) ? '%E0%A4%A&&=%' : encodeURIComponent(value)}`;
      });
      const target = `${fill(random.pick(paths), random)}?${pairs.join('&')}`;
      const fault = faultOf(await world.ask(target, { key: ACME }));
      if (fault !== null) faults.push({ target, fault });
    }
    expect(faults).toEqual([]);
  });

  it.each([
    ['/events/query?since=yesterday', 'since', /RFC 3339/],
    ['/events/query?until=2020-02-30T00:00:00Z', 'until', /RFC 3339/],
    ['/events/query?as_of=2020-01-01', 'as_of', /RFC 3339/],
    ['/events/query?as_of_recorded=x', 'as_of_recorded', /RFC 3339/],
    ['/events/query?limit=1000001', 'limit', /1000000/],
    ['/events/query?limit=-1', 'limit', /whole number/],
    ['/events/query?offset=1.5', 'offset', /whole number/],
    ['/events/query?order=up', 'order', /asc/],
    ['/events/query?payload_filter=nope', 'payload_filter', /JSON object/],
    ['/events/query?payload_filter=[1]', 'payload_filter', /JSON object/],
    [
      `/events/query?payload_filter={"a":${'['.repeat(70)}${']'.repeat(70)}}`,
      'payload_filter',
      /deeper than 64/,
    ],
    [
      `/events/query?exclude_event_type_prefix=${'a,'.repeat(101)}`,
      'exclude_event_type_prefix',
      /at most 100/,
    ],
    ['/events/query?cursor=abc', 'cursor', /next_cursor/],
    ['/events/query?entity_id=%ff', 'entity_id', /not validly percent-encoded/],
    ['/events/query?limit=1&event_type=%zz', 'event_type', /not validly percent-encoded/],
    ['/events?stream_id=%c3', 'stream_id', /not validly percent-encoded/],
    ['/entities?x=%', 'x', /not validly percent-encoded/],
    ['/projections/p/e/state?tenant_id=%ff', 'tenant_id', /not validly percent-encoded/],
    ['/events/query?cursor=', 'cursor', /is empty/],
    ['/events/recent?limit=', 'limit', /is empty/],
    ['/events/type/a.b?offset=', 'offset', /is empty/],
    ['/entities?payload_filter=', 'payload_filter', /is empty/],
    ['/entities?event_type_prefix=', 'event_type_prefix', /is empty/],
    ['/entities?order=', 'order', /is empty/],
    ['/streams?offset=', 'offset', /is empty/],
    ['/events/query?explain=maybe', 'explain', /true, false/],
    ['/events/query?consistency=weak', 'consistency', /strong, eventual/],
    ['/events/query?min_position=-1', 'min_position', /whole number/],
    ['/events/query?exclude_event_type_prefix=,', 'exclude_event_type_prefix', /names 0 prefixes/],
    ['/events?stream_id=', 'stream_id', /is empty/],
    ['/events?stream_id=a&entity_id=b', 'stream_id', /means the same/],
    ['/events/entity/a?entity_id=b', 'entity_id', /the path names 'a'/],
    ['/events/type/a.b?event_type=a.c', 'event_type', /the path names 'a\.b'/],
    ['/events/recent?order=x', 'order', /asc/],
    ['/events/entity/x?limit=x', 'limit', /whole number/],
    ['/events/not-a-uuid', 'event_id', /UUID/],
    ['/entities?order=x', 'order', /asc/],
    ['/entities?payload_filter={', 'payload_filter', /JSON object/],
    ['/entities/duplicates', 'event_type_prefix', /missing/],
    ['/entities/duplicates?event_type_prefix=a&group_by=,', 'group_by', /1 to 100/],
    ['/streams?limit=x', 'limit', /whole number/],
    ['/event-types?offset=x', 'offset', /whole number/],
  ])(
    'GET %s is answered 400, names %s and says what is allowed',
    async (path, parameter, sentence) => {
      for (const base of ['/api/v1', '/api']) {
        const { status, body } = await world.ask(base + path, { key: ACME });
        expect([path, status, body.parameter]).toEqual([path, 400, parameter]);
        expect((body.error as { message: string }).message).toMatch(sentence);
      }
    },
  );

  it('a method that a path does not have is refused with those it has, each once', async () => {
    for (const path of ['/api/v1/events/query', '/api/events/query']) {
      const answer = await fetch(world.url + path, {
        method: 'DELETE',
        headers: { 'x-api-key': ACME },
      });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
      expect(await answer.json()).toMatchObject({ code: 'method_not_allowed', allowed: ['GET'] });
    }
  });

  it('a position beyond the end of the log is refused with where that is, not waited for', async () => {
    const { head } = world.core.log;
    for (const consistency of ['strong', 'eventual']) {
      const path = `/api/v1/events/query?min_position=${head + 1}&consistency=${consistency}`;
      const { status, body } = await world.ask(path, { key: ACME });
      expect([status, body.code, body.parameter]).toEqual([
        400,
        'position_beyond_head',
        'min_position',
      ]);
      expect([body.position, body.head]).toEqual([head + 1, head]);
    }
  });

  it.each([
    'GET /api/v1/events/%zz HTTP/1.1',
    'GET /api/v1/events/query?%%% HTTP/1.1',
    'GET //api/v1/events/query HTTP/1.1',
  ])('%s is answered in words', async (line) => {
    const text = await rawRequest(
      world.url,
      `${line}\r\nHost: x\r\nX-API-Key: ${ACME}\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 (200|400|404) /);
  });
});

function rawRequest(url: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(request));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks).toString()));
    socket.on('error', reject);
  });
}
