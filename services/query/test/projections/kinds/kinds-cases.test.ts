/** What definitions may say, and what single events do that no law names. */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import type { ProjectionType } from '@allsource/shared/protocol';
import {
  compiled,
  type Definition,
  type Draft,
  eventsOf,
  folded,
  FoldedStates,
} from './folded-states.ts';

const STEPS = [{ event_type: 'a' }, { event_type: 'b' }];
const HOUR = { bucket: 'hour' };

async function refusal(type: ProjectionType, definition: Definition): Promise<Problem> {
  try {
    await compiled(type, definition);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new TypeError('the definition was taken');
}

/** The problem of the last event; what comes before is folded. */
async function fault(
  type: ProjectionType,
  definition: Definition,
  ...drafts: Draft[]
): Promise<Problem> {
  const states = new FoldedStates(await compiled(type, definition));
  const events = eventsOf(drafts);
  states.fold(events.slice(0, -1));
  const before = [...states.texts()];
  try {
    states.fold(events.slice(-1));
  } catch (error) {
    const isUnchanged = isDeepStrictEqual([...states.texts()], before);
    if (error instanceof Problem && isUnchanged) return error;
    throw error;
  }
  throw new TypeError('the event was folded');
}

function payload(value: unknown, more: Draft = {}): Draft {
  return { payload: JSON.stringify(value), ...more };
}

/** Seconds behind the start of 2026, as microseconds. */
function at(seconds: number): number {
  return (Date.UTC(2026, 0, 1) / 1000 + seconds) * 1_000_000;
}

describe('a definition', () => {
  it.each<[ProjectionType, Definition, string, string]>([
    ['entity_snapshot', { fields: [] }, '/definition/fields', 'allowed are no members'],
    [
      'event_counter',
      { by: 'type' },
      '/definition/by',
      "is 'type'; allowed are event_type, entity, field",
    ],
    ['event_counter', { by: 'field' }, '/definition/field', 'is missing; allowed is a path'],
    [
      'event_counter',
      { by: 'entity', field: 'a' },
      '/definition/field',
      'goes with "by":"field" only',
    ],
    ['event_counter', { by: 'field', field: 'a..b' }, '/definition/field', 'single dots'],
    ['event_counter', { by: 'field', field: '$type' }, '/definition/field', '$event_type'],
    [
      'time_series',
      {},
      '/definition/bucket',
      'is missing; allowed are minute, hour, day, week, month',
    ],
    [
      'time_series',
      { ...HOUR, aggregates: ['sum'] },
      '/definition/aggregates/0',
      "needs a 'field'",
    ],
    [
      'time_series',
      { ...HOUR, field: 'a', aggregates: ['median'] },
      '/definition/aggregates/0',
      'is not one of count, sum',
    ],
    ['time_series', { ...HOUR, aggregates: [] }, '/definition/aggregates', 'a list of 1 to 6'],
    [
      'time_series',
      { ...HOUR, step: 1 },
      '/definition/step',
      'is not known; allowed are bucket, field',
    ],
    ['funnel', { steps: STEPS }, '/definition/window_seconds', 'a whole number from 1 to'],
    [
      'funnel',
      { steps: STEPS.slice(1), window_seconds: 1 },
      '/definition/steps',
      'a list of 2 to 20',
    ],
    [
      'funnel',
      { steps: [...STEPS, { event_type: 'No' }], window_seconds: 1 },
      '/definition/steps/2/event_type',
      'must be lowercase',
    ],
    [
      'funnel',
      {
        steps: [STEPS[0], { event_type: 'b', where: { field: 'x', op: '>', value: 1 } }],
        window_seconds: 1,
      },
      '/definition/steps/1/where/op',
      "is '>'; allowed are eq, ne",
    ],
    [
      'funnel',
      {
        steps: [STEPS[0], { event_type: 'b', where: [{ field: 'x', op: 'gt', value: null }] }],
        window_seconds: 1,
      },
      '/definition/steps/1/where/0/value',
      'is null; allowed are a number and a text',
    ],
    ['custom', {}, '/definition', 'says nothing to compute'],
    [
      'custom',
      { mapping: { a: 'b' }, aggregates: { a: { fn: 'count' } } },
      '/definition/aggregates/a',
      'has the name of a member',
    ],
    [
      'custom',
      { mapping: { a: { from: 'b', take: 'first' } } },
      '/definition/mapping/a/take',
      'allowed are from, keep, where',
    ],
    [
      'custom',
      { aggregates: { 'a/b': { fn: 'sum' } } },
      '/definition/aggregates/a~1b/field',
      'is missing',
    ],
    ['custom', { source: '() => 1' }, '/definition/language', 'is missing; allowed are javascript'],
    [
      'custom',
      { language: 'javascript', source: 'function reduce(state, event) {\n  retrun state;\n}' },
      '/definition/source',
      'line 2, column',
    ],
    [
      'custom',
      { language: 'javascript', source: '(s) => s', sandbox: false },
      '/definition/sandbox',
      'is not known',
    ],
  ])(
    '%s %j is refused with a pointer to what is wrong',
    async (...[type, definition, pointer, text]) => {
      const refused = await refusal(type, definition);
      expect(refused.code).toBe('invalid_body');
      expect(refused.members['pointer']).toBe(pointer);
      expect(refused.message).toContain(text);
    },
  );
});

describe('an event that cannot be folded', () => {
  const source = '(state, event) => ({ n: event.payload.items.length })';
  it.each<[string, ProjectionType, Definition, unknown, string]>([
    [
      'a value that is no number',
      'time_series',
      { ...HOUR, field: 'total' },
      { total: '12.5' },
      "'total' is '12.5'; a number is needed",
    ],
    [
      'a number beyond all numbers',
      'time_series',
      { ...HOUR, field: 'total' },
      '1e999',
      "'total' is a number beyond 1.8e308; a number",
    ],
    [
      'a sum beyond all numbers',
      'custom',
      { aggregates: { s: { fn: 'sum', field: 'a' }, t: { fn: 'avg', field: 'a' } } },
      { a: 1.7e308 },
      'The sum is beyond',
    ],
    [
      'a list for a key',
      'event_counter',
      { by: 'field', field: 'tags' },
      { tags: [] },
      "'tags' is a list; to be a key",
    ],
    [
      'an empty text for a key',
      'event_counter',
      { by: 'field', field: 'tag' },
      { tag: '' },
      "'tag' is ''; to be a key",
    ],
    [
      'a key with a control character',
      'event_counter',
      { by: 'field', field: 'tag' },
      { tag: '\u0001funnel' },
      'to be a key',
    ],
    [
      'what its function fails at',
      'custom',
      { language: 'javascript', source },
      {},
      "The function failed: line 1, column 44: TypeError: cannot read property 'length' of undefined.",
    ],
    [
      'a loop without an end',
      'custom',
      { language: 'javascript', source: '() => { for (;;); }' },
      {},
      'more steps than a call may take',
    ],
  ])('because of %s changes nothing and says why', async (...[, type, definition, value, text]) => {
    const draft = value === '1e999' ? { payload: '{"total":1e999}' } : payload(value);
    const drafts = JSON.stringify(value).includes('e+308') ? [draft, draft] : [draft];
    const found = await fault(type, definition, ...drafts);
    expect(found.code).toBe('projection_fault');
    expect(found.message).toContain(text);
  });

  it('because of one group too many is refused, and known groups go on', async () => {
    const definition = { ...HOUR, group_by: 'g' };
    const states = new FoldedStates(await compiled('time_series', definition));
    states.fold(eventsOf(Array.from({ length: 10_000 }, (_, g) => payload({ g }))));
    const next = eventsOf([payload({ g: 10_000 })]);
    expect(() => states.fold(next)).toThrow("The group '10000' would be one of more than 10000");
    states.fold(eventsOf([payload({ g: 3 })]));
    expect(states.shown().get('3|2026-01-01T00:00:00Z')).toMatchObject({ group: '3', count: 2 });
  });
});

describe('values that are taken over', () => {
  const text =
    '{"id":12345678901234567890,"price":1.0,"tiny":1e-7,"list":[0.10,-0],"text":"1.0 \\"12345678901234567890\\"","id":12345678901234567891}';

  it('keep the text of their numbers in a snapshot', async () => {
    const one = await compiled('entity_snapshot', {});
    const states = new FoldedStates(one).fold(eventsOf([{ payload: text }]));
    const state = JSON.parse(states.texts().get('entity-1') ?? '') as string;
    expect(JSON.stringify(one.present('entity-1', state))).toBe(
      '{"id":12345678901234567891,"price":1.0,"tiny":1e-7,"list":[0.10,-0],"text":"1.0 \\"12345678901234567890\\""}',
    );
  });

  it('keep the text of their numbers in mapped members', async () => {
    const definition = {
      mapping: {
        id: 'in.id',
        price: { from: 'in.price', keep: 'first' },
        list: 'in.list',
        big: '$metadata.big',
      },
      aggregates: { ids: { fn: 'set', field: 'in.id' } },
    };
    const one = await compiled('custom', definition);
    const draft = { payload: `{"in":${text}}`, metadata: '{"big":123456789012345678901}' };
    const states = new FoldedStates(one).fold(eventsOf([draft]));
    const state = JSON.parse(states.texts().get('entity-1') ?? '') as never;
    expect(JSON.stringify(one.present('entity-1', state))).toBe(
      '{"id":12345678901234567891,"price":1.0,"list":[0.10,-0],"big":123456789012345678901,"ids":[12345678901234567891]}',
    );
  });
});

describe('a condition', () => {
  const seen = { n: 5, text: 'abc', list: [1, { a: 1.0 }], none: null, deep: { yes: true } };
  it.each<[boolean, unknown]>([
    [true, { field: 'n', value: 5 }],
    [false, { field: 'n', value: '5' }],
    [true, { field: 'deep', value: { yes: true } }],
    [true, { field: 'none', value: null }],
    [false, { field: 'gone', value: null }],
    [true, { field: 'gone', op: 'ne', value: 1 }],
    [true, { field: 'n', op: 'gt', value: 4.5 }],
    [false, { field: 'n', op: 'gt', value: '4' }],
    [true, { field: 'text', op: 'gte', value: 'abc' }],
    [false, { field: 'text', op: 'lt', value: 'abc' }],
    [true, { field: 'n', op: 'lte', value: 5 }],
    [true, { field: 'n', op: 'in', value: [1, 5] }],
    [true, { field: 'text', op: 'contains', value: 'bc' }],
    [true, { field: 'list', op: 'contains', value: { a: 1 } }],
    [false, { field: 'n', op: 'contains', value: 5 }],
    [true, { field: 'deep.yes', op: 'exists' }],
    [true, { field: 'deep.no', op: 'exists', value: false }],
    [false, { field: 'text.length', op: 'exists' }],
    [true, { field: '$event_type', value: 'thing.happened' }],
    [true, { field: '$metadata.by', value: 'me' }],
    [
      false,
      [
        { field: 'n', value: 5 },
        { field: 'n', op: 'gt', value: 5 },
      ],
    ],
  ])('holds: %s for %j', async (holds, where) => {
    const definition = { aggregates: { n: { fn: 'count', where } } };
    const shown = await folded(
      'custom',
      definition,
      eventsOf([payload(seen, { metadata: '{"by":"me"}' })]),
    );
    expect(shown.get('entity-1')).toEqual({ n: holds ? 1 : 0 });
  });
});

describe('a funnel', () => {
  const definition = {
    steps: [{ event_type: 'a', name: 'came' }, { event_type: 'b' }, { event_type: 'c' }],
    window_seconds: 100,
  };

  async function counts(...taken: [string, number][]): Promise<unknown[]> {
    const drafts = taken.map(([eventType, seconds]) => ({ eventType, timestamp: at(seconds) }));
    const shown = (await folded('funnel', definition, eventsOf(drafts))).get('funnel');
    const { steps } = shown as { readonly steps: readonly { readonly count: number }[] };
    return steps.map(({ count }) => count);
  }

  it('counts an entity once, whatever it repeats', async () => {
    expect(
      await counts(['a', 0], ['a', 1], ['b', 2], ['b', 3], ['a', 4], ['c', 5], ['c', 6], ['a', 7]),
    ).toEqual([1, 1, 1]);
  });

  it('lets an attempt end with its window, which includes its last instant, and a later one succeed', async () => {
    expect(await counts(['a', 0], ['b', 50], ['c', 101])).toEqual([1, 1, 0]);
    expect(await counts(['a', 0], ['b', 50], ['c', 100])).toEqual([1, 1, 1]);
    expect(await counts(['a', 0], ['b', 50], ['a', 90], ['b', 95], ['c', 180])).toEqual([1, 1, 1]);
    // A later start does not spoil the attempt that is further.
    expect(await counts(['a', 0], ['b', 50], ['a', 90], ['c', 95])).toEqual([1, 1, 1]);
  });

  it('passes over steps out of order and events from before the step that they would follow', async () => {
    expect(await counts(['b', 0], ['a', 1], ['c', 2])).toEqual([1, 0, 0]);
    expect(await counts(['a', 10], ['b', 5], ['c', 20])).toEqual([1, 0, 0]);
    expect(await counts(['a', 10], ['b', 10], ['c', 10])).toEqual([1, 1, 1]);
  });

  it('does not take one event for two steps', async () => {
    const twice = {
      steps: [{ event_type: 'a' }, { event_type: '*' }, { event_type: 'a' }],
      window_seconds: 10,
    };
    const drafts = [0, 1].map((seconds) => ({ eventType: 'a', timestamp: at(seconds) }));
    const shown = (await folded('funnel', twice, eventsOf(drafts))).get('funnel');
    expect(shown).toMatchObject({ steps: [{ count: 1 }, { count: 1 }, { count: 0 }] });
  });

  it('shows conversion, drop-off and the median time of each step', async () => {
    const drafts: Draft[] = Array.from({ length: 9 }, (_, n) => n).flatMap((n) => [
      { entityId: `e-${n}`, eventType: 'a', timestamp: at(0) },
      ...(n < 6 ? [{ entityId: `e-${n}`, eventType: 'b', timestamp: at(10 + n) }] : []),
      ...(n < 3 ? [{ entityId: `e-${n}`, eventType: 'c', timestamp: at(60) }] : []),
    ]);
    const shown = (await folded('funnel', definition, eventsOf(drafts))).get('funnel') as {
      readonly steps: readonly { readonly median_seconds: number | null }[];
    };
    expect(shown).toMatchObject({
      window_seconds: 100,
      entered: 9,
      completed: 3,
      conversion: 1 / 3,
      steps: [
        {
          step: 1,
          name: 'came',
          event_type: 'a',
          count: 9,
          conversion: 1,
          conversion_from_start: 1,
          drop_off: 3,
          drop_off_rate: 1 / 3,
          median_seconds: null,
        },
        {
          step: 2,
          name: 'b',
          event_type: 'b',
          count: 6,
          conversion: 2 / 3,
          conversion_from_start: 2 / 3,
          drop_off: 3,
          drop_off_rate: 1 / 2,
        },
        {
          step: 3,
          name: 'c',
          event_type: 'c',
          count: 3,
          conversion: 1 / 2,
          conversion_from_start: 1 / 3,
          drop_off: 0,
          drop_off_rate: 0,
        },
      ],
    });
    // Exactly 12 and 49 seconds; the sketch is within 1%.
    expect(Math.abs((shown.steps[1]?.median_seconds ?? 0) - 12)).toBeLessThan(0.121);
    expect(Math.abs((shown.steps[2]?.median_seconds ?? 0) - 49)).toBeLessThan(0.491);
  });
});

describe('a time series', () => {
  it('counts a late event in its own bucket, and ten times 0.1 as 1', async () => {
    const drafts = [
      ...Array.from({ length: 10 }, () => payload({ v: 0.1 }, { timestamp: at(10) })),
      payload({ v: 1e16 }, { timestamp: at(3700) }),
      payload({ v: 1 }, { timestamp: at(3700) }),
      payload({ v: -1e16 }, { timestamp: at(3700) }),
      payload({ v: null }, { timestamp: at(5) }),
    ];
    const shown = await folded(
      'time_series',
      { ...HOUR, field: 'v', aggregates: ['count', 'sum'] },
      eventsOf(drafts),
    );
    expect([...shown]).toEqual([
      ['2026-01-01T00:00:00Z', { bucket: '2026-01-01T00:00:00Z', count: 11, sum: 1, values: 10 }],
      ['2026-01-01T01:00:00Z', { bucket: '2026-01-01T01:00:00Z', count: 3, sum: 1, values: 3 }],
    ]);
  });
});
