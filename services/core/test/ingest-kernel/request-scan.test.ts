/**
 * The kernel's scan against the slow path and against JSON.parse. The law: what the kernel takes, the slow path takes too, with the same events at the
 * same places; so it never matters which of them a request meets. ALLSOURCE_TEST_FUZZ sets the number of documents, ALLSOURCE_TEST_SEED the seed.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { withoutStacks } from '@allsource/testkit';
import { type BodyShape, RandomRequests } from '../support/random-requests.ts';
import { compareReadings, type ReadingOutcome } from '../support/readers-side-by-side.ts';

const SUITE = join(
  import.meta.dirname,
  '../../../../../shared/data/json-parsing-suite/test_parsing',
);
const event = (payload: string, rest = '') =>
  `{"event_type":"a","entity_id":"e","payload":${payload}${rest}}`;
const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;

it('kernel, slow path and JSON.parse read random and damaged requests alike', () => {
  const count = Number(process.env.ALLSOURCE_TEST_FUZZ ?? 100_000);
  const seed = Number(process.env.ALLSOURCE_TEST_SEED ?? Date.now() % 1_000_000_000);
  const requests = new RandomRequests(seed);
  const outcomes: Record<ReadingOutcome, number> = {
    'by the kernel': 0,
    'by the slow path': 0,
    refused: 0,
  };
  const shapes: Record<BodyShape, number> = { single: 0, batch: 0, lines: 0 };
  console.info(`request fuzz: seed ${seed}, ${count} documents`);
  withoutStacks(() => {
    for (let i = 0; i < count; i++) {
      const { bytes, shape, isPlain } = requests.next();
      const outcome = compareReadings(bytes, shape);
      outcomes[outcome]++;
      if (isPlain) assert.equal(outcome, 'by the kernel', bytes.toString('latin1'));
      shapes[shape]++;
    }
  });
  console.info(`request fuzz: ${JSON.stringify(shapes)}, read ${JSON.stringify(outcomes)}`);
  for (const taken of Object.values(outcomes)) expect(taken).toBeGreaterThan(count / 100);
}, 1_800_000);

it('the published JSON parsing suite is judged alike inside requests', () => {
  const isThere = existsSync(SUITE);
  if (!isThere) console.warn('json-parsing-suite is not beside this clone: own cases are used');
  const cases = isThere
    ? readdirSync(SUITE).map((name) => readFileSync(join(SUITE, name)))
    : ['{}', '[1,]', '{"a":1}', '01', '"\\x"', 'nul', '[', '-', '1e', '"\t"'].map((bad) =>
        Buffer.from(bad),
      );
  const wrappings = ['payload', 'metadata', 'unknown'].flatMap(
    (member): [string, string, BodyShape][] => {
      const rest = member === 'payload' ? '' : ',"payload":1';
      const open = `{"event_type":"a","entity_id":"e"${rest},"${member}":`;
      return [
        [open, '}', 'single'],
        [`{"events":[${open}`, '}]}', 'batch'],
        [open, `}\n${event('1')}\n`, 'lines'],
      ];
    },
  );
  const outcomes: Record<string, number> = {};
  for (const bytes of cases) {
    for (const [before, after, shape] of wrappings) {
      const outcome = compareReadings(
        Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]),
        shape,
      );
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  }
  expect(outcomes['by the kernel']).toBeGreaterThan(0);
  console.info(`json-parsing-suite: ${cases.length} documents, ${JSON.stringify(outcomes)}`);
});

it('limits are those of the slow path', () => {
  const batch = (count: number) =>
    `{"events":[${Array.from({ length: count }, () => event('1')).join()}]}`;
  const outcomes: [string, BodyShape, ReadingOutcome][] = [
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
    expect([body.slice(0, 60), compareReadings(Buffer.from(body), shape)]).toEqual([
      body.slice(0, 60),
      outcome,
    ]);
});

it('a line holds one event, whole, and nothing else', () => {
  const one = event('1');
  const outcomes: [string, ReadingOutcome][] = [
    [`${one}\n${one}\n`, 'by the kernel'],
    [`${one}\n${one}`, 'by the kernel'],
    [`\n \t\n${one}\r\n\r\n${one}\r\n \n`, 'by the kernel'],
    [`${one}${one}\n`, 'refused'],
    [`${one} ${one}\n`, 'refused'],
    [`${one},\n${one}\n`, 'refused'],
    [`${one.replace(',', ',\n')}\n`, 'refused'],
    [`${one}\n${one.replace(',', ',\n')}`, 'refused'],
    [`[${one}]\n`, 'refused'],
    [`\ufeff${one}\n`, 'refused'],
    [`${one}\n\ufeff${one}\n`, 'refused'],
    [`${one}\n\u2028${one}\n`, 'refused'],
    [`${one}\n\u0000\n`, 'refused'],
    [`${one}\n${event('1', ',"tenant_id":"b"')}\n`, 'refused'],
    ['\n\n', 'by the slow path'],
    ['', 'by the slow path'],
  ];
  for (const [body, outcome] of outcomes)
    expect([body, compareReadings(Buffer.from(body), 'lines')]).toEqual([body, outcome]);
});
