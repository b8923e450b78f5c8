import { describe, expect, it } from '@jest/globals';
import { canonicalJson } from '../json/canonical-json.ts';
import { rawMembers } from '../json/raw-members.ts';
import { formatTimestamp, micros } from '../model/timestamp.ts';
import {
  compareEvents,
  type EventQuery,
  matchesEventQuery,
  parseEventQuery,
  windowOf,
} from './event-query.ts';
import { Parameters } from './parameters.ts';
import { PayloadFilter } from './payload-filter.ts';

function queryOf(values: Record<string, string>, limitDefault: number | null = null): EventQuery {
  return parseEventQuery(new Parameters(new URLSearchParams(values)), limitDefault);
}

const at = (instant: number) => formatTimestamp(micros(instant));

const event = {
  entity: 'order-1',
  type: 'order.placed',
  timestamp: micros(1_000),
  recordedAt: micros(5_000),
};

function matches(values: Record<string, string>, payload = '{}'): boolean {
  return matchesEventQuery(queryOf(values), event, () => Buffer.from(payload));
}

const prefixes = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`).join(',');

describe('the conditions of an event query', () => {
  it('hold all together, with exact types, plain prefixes and inclusive times', () => {
    expect(matches({})).toBe(true);
    expect(matches({ event_type: 'order.' })).toBe(false);
    expect(matches({ event_type: 'order.placed', entity_id: 'order-1' })).toBe(true);
    expect(matches({ event_type_prefix: 'order.pl' })).toBe(true);
    expect(matches({ event_type_prefix: 'order.', exclude_event_type_prefix: 'x, order.p' })).toBe(
      false,
    );
    expect(matches({ since: at(1000), until: at(1000) })).toBe(true);
    expect(matches({ since: at(1001) })).toBe(false);
    expect(matches({ until: at(2000), as_of: at(999) })).toBe(false);
    expect(matches({ as_of_recorded: at(5000) })).toBe(true);
    expect(matches({ as_of_recorded: at(4999), until: at(1000) })).toBe(false);
  });

  it('exclude at most 100 prefixes', () => {
    expect(queryOf({ exclude_event_type_prefix: prefixes(100) }).excludedTypePrefixes).toHaveLength(
      100,
    );
    expect(() => queryOf({ exclude_event_type_prefix: prefixes(101) })).toThrow(/at most 100/);
  });

  it('have the defaults of the wire contract', () => {
    expect(queryOf({})).toMatchObject({ limit: null, offset: 0, order: 'asc' });
    expect(queryOf({ order: 'DESC' }, 100)).toMatchObject({ limit: 100, order: 'desc' });
    expect(() => queryOf({ order: 'up' })).toThrow(
      "invalid 'order' value 'up': expected 'asc' or 'desc'",
    );
  });
});

describe('an empty value', () => {
  it.each([
    'entity_id',
    'event_type',
    'event_type_prefix',
    'exclude_event_type_prefix',
    'payload_filter',
    'limit',
    'offset',
    'order',
    'cursor',
  ])('of %s is refused: it would quietly mean everything', (parameter) => {
    expect(() => queryOf({ [parameter]: '' })).toThrow(`'${parameter}' is empty. Give it a value`);
  });
});

function membersOf(text: string): Map<string, string> {
  return new Map(
    [...(rawMembers(Buffer.from(text)) ?? [])].map(([key, raw]) => [
      key,
      canonicalJson(Buffer.from(raw)),
    ]),
  );
}

describe('a payload filter', () => {
  it.each([
    ['{"a":1}', '{"a":1,"b":2}', true],
    ['{"a":1}', '{"a":"1"}', false],
    ['{"a":1}', '{"a":1.0}', true],
    ['{"a":100}', '{"a":1e2}', true],
    ['{"a":9007199254740993}', '{"a":9007199254740992}', false],
    ['{"a":null}', '{}', false],
    ['{"a":null}', '{"a":null}', true],
    ['{"a":{"x":1,"y":[2]}}', '{"a":{"y":[2.0],"x":1}}', true],
    ['{"a":[1,2]}', '{"a":[2,1]}', false],
    ['{"\\u0061":"ä"}', '{"a":"\\u00e4"}', true],
    ['{"__proto__":1}', '{"__proto__":1}', true],
    ['{"__proto__":1}', '{}', false],
    ['{"a":1}', '{"a":1,"a":2}', false],
    ['{}', '{"a":1}', true],
    ['{}', '[1]', false],
    ['{"a":-0}', '{"a":0}', true],
    ['{"a":"\\ud800"}', '{"a":"\ufffd"}', false],
    ['{"\\ud800":1}', '{"\ufffd":1}', false],
    ['{"b":1}', '{"a":1}', false],
    ['{"a":1}', '{"\\u0061":1}', true],
    ['{"a/b":1}', '{"a\\/b":1}', true],
    ['{"a":1}', '{"x":{"a":1}}', false],
    ['{"ä":"\\n"}', '{"ä":"\\u000a"}', true],
  ])('%s on %s is %s', (filter, payload, expected) => {
    expect(new PayloadFilter(filter).matches(Buffer.from(payload))).toBe(expected);
  });

  it('says of 4,000 random payloads what a comparison of parsed members says', () => {
    let state = 7;
    const below = (end: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * end);
    };
    const pick = <T>(choices: readonly T[]) => choices[below(choices.length)] as T;
    const space = () => pick(['', '', '', ' ', '\n\t ']);
    const scalar = () =>
      pick([
        '1',
        '1.0',
        '10e-1',
        '-0',
        '0',
        '77',
        '-77',
        '7.7e1',
        '"1"',
        '"open"',
        '"op\\u0065n"',
        '""',
        '"ä"',
        '"\\u00e4"',
        '"{"',
        '"}"',
        '"a,b"',
        'true',
        'false',
        'null',
      ]);
    const value = (depth = 0): string => {
      if (depth > 2 || below(3) > 0) return scalar();
      const parts = Array.from({ length: below(3) }, () => value(depth + 1));
      if (below(2) === 0) return `[${space()}${parts.join(`${space()},${space()}`)}${space()}]`;
      return `{${parts.map((part) => `${name()}${space()}:${space()}${part}`).join(',')}}`;
    };
    const name = () => pick(['"a"', '"b"', '"\\u0061"', '"a b"', '"ä"', '"}"', '""']);
    const object = () => {
      const members = Array.from(
        { length: below(5) },
        () => `${name()}${space()}:${space()}${value()}`,
      );
      return `${space()}{${space()}${members.join(`${space()},${space()}`)}${space()}}${space()}`;
    };
    let matched = 0;
    const wrong: object[] = [];
    for (let i = 0; i < 4_000; i++) {
      const filter = object();
      const payload = pick([object(), object(), value(), filter]);
      const own = payload.trimStart().startsWith('{') ? membersOf(payload) : null;
      const expected =
        own !== null && [...membersOf(filter)].every(([key, raw]) => own.get(key) === raw);
      const actual = new PayloadFilter(filter).matches(Buffer.from(payload));
      matched += Number(actual);
      if (actual !== expected) wrong.push({ filter, payload, actual });
    }
    expect(wrong).toEqual([]);
    expect(matched).toBeGreaterThan(200);
  });

  it.each(['{"a', '{"a"', '{"a":"', '{"a":["', '{"a":{"b', '{"a":1,', '{', ''])(
    'comes to an end on %j, which is no JSON',
    (payload) => {
      expect(new PayloadFilter('{"a":"x"}').matches(Buffer.from(payload))).toBe(false);
    },
  );

  it.each(['', 'nope', '[1]', '{"a":1', '{"a":1} x', '"text"'])('refuses %j', (text) => {
    expect(() => new PayloadFilter(text)).toThrow(/payload_filter/);
  });
});

describe('the order and window of an answer', () => {
  const a = { timestamp: 1, version: 2, position: 9 };
  const b = { timestamp: 1, version: 1, position: 8 };
  const c = { timestamp: 0, version: 3, position: 10 };

  it('is by time, then version, then position, and desc is the exact reverse', () => {
    expect([a, b, c].sort(compareEvents('asc'))).toEqual([c, b, a]);
    expect([a, b, c].sort(compareEvents('desc'))).toEqual([a, b, c]);
  });

  it('says that there is more only when there is', () => {
    const all = [1, 2, 3, 4];
    expect(windowOf(all, { limit: 2, offset: 0 })).toEqual({
      page: [1, 2],
      totalCount: 4,
      hasMore: true,
    });
    expect(windowOf(all, { limit: 2, offset: 2 })).toEqual({
      page: [3, 4],
      totalCount: 4,
      hasMore: false,
    });
    expect(windowOf(all, { limit: 2, offset: 9 })).toEqual({
      page: [],
      totalCount: 4,
      hasMore: false,
    });
    expect(windowOf(all, { limit: null, offset: 1 }).page).toEqual([2, 3, 4]);
  });
});
