/** Chains of upcasters: against a model that works on values as texts, step by step, and what an event's version is. */
import { describe, expect, it } from '@jest/globals';
import { rawMembers } from '@allsource/shared/json';
import { type Micros, position } from '@allsource/shared/model';
import { eachSeed, SeededRandom } from '@allsource/testkit';
import { LoadedFunctions } from '../../src/functions/loaded-functions.ts';
import { ThreadedFunctions } from '../../src/functions/threaded-functions.ts';
import { CompiledSchema } from '../../src/json-schema/index.ts';
import { CompiledSchemas, type SchemaSubject } from '../../src/registry/index.ts';
import {
  Mappings,
  samplePayloads,
  tryUpcaster,
  type UpcastEvent,
  Upcasts,
  versionsWithoutPath,
} from '../../src/upcasting/index.ts';
import { payloadOf, randomChain, type Values } from './random-chains.ts';

interface Step {
  readonly from: number;
  readonly to: number;
  readonly mappings: readonly object[];
}

/** A subject whose versions are registered at the positions 10, 20, 30, ... */
function subjectOf(schemas: readonly object[], steps: readonly Step[]): SchemaSubject {
  return {
    compatibility: 'NONE',
    versions: schemas.map((schema, index) => ({
      id: String(index),
      subject: 's',
      version: index + 1,
      text: JSON.stringify(schema),
      description: null,
      tags: [],
      createdAt: 0 as Micros,
      position: position((index + 1) * 10),
      compatibility: 'NONE',
    })),
    upcasters: new Map(
      steps.map(({ from, to, mappings }) => [
        from,
        {
          subject: 's',
          fromVersion: from,
          toVersion: to,
          description: null,
          work: { mappings: JSON.stringify(mappings) },
          createdAt: 0 as Micros,
        },
      ]),
    ),
  };
}

function eventAt(at: number, payload: string, metadata: string | null = null): UpcastEvent {
  return {
    tenant: 't',
    type: 's',
    position: position(at),
    payload: () => Buffer.from(payload),
    metadata: () => (metadata === null ? null : Buffer.from(metadata)),
  };
}

const loaded = new LoadedFunctions();
const functions = new ThreadedFunctions((call) => loaded.call(call));

function upcastsOf(subject: SchemaSubject): Upcasts {
  return new Upcasts({
    fold: { subject: () => subject },
    compiled: new CompiledSchemas(),
    functions,
  });
}

function flat(payload: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, text] of rawMembers(Buffer.from(payload)) ?? []) {
    if (!text.startsWith('{')) values.set(name, text);
    else
      for (const [inner, innerText] of rawMembers(Buffer.from(text)) ?? [])
        values.set(`${name}.${inner}`, innerText);
  }
  return values;
}

function stepsOf(...pairs: [number, number][]): Map<number, { toVersion: number }> {
  return new Map(pairs.map(([from, toVersion]) => [from, { toVersion }]));
}

const sorted = (values: Values) => [...values].sort(([a], [b]) => (a < b ? -1 : 1));

const V1 = { type: 'object', required: ['a'], properties: { a: { type: 'number' } } };
const V2 = { type: 'object', required: ['b'], properties: { b: { type: 'number' } } };
const V3 = { type: 'object', required: ['c'], properties: { c: { type: 'string' } } };
const STEPS: Step[] = [
  { from: 1, to: 2, mappings: [{ op: 'rename', path: '/a', to: 'b' }] },
  {
    from: 2,
    to: 3,
    mappings: [
      { op: 'rename', path: '/b', to: 'c' },
      { op: 'cast', path: '/c', to: 'string' },
    ],
  },
];

describe('chains of upcasters', () => {
  it('do what the model does, fit each schema, and give the same step by step', async () => {
    const run = { file: 'packages/schemas/test/upcasting', short: 60, long: 3_000 };
    await eachSeed(run, async (seed) => {
      const random = new SeededRandom(seed);
      const chain = randomChain(random, 1 + random.below(5));
      const schemas = [chain.firstSchema, ...chain.steps.map(({ schema }) => schema)];
      const steps = chain.steps.map(({ mappings }, i) => ({ from: i + 1, to: i + 2, mappings }));
      const upcasts = upcastsOf(subjectOf(schemas, steps));
      for (const [i, { mappings }] of chain.steps.entries()) {
        const [source, target] = [schemas[i], schemas[i + 1]].map((s) => new CompiledSchema(s));
        const work = { mappings: JSON.stringify(mappings) };
        const trial = { work, functions, samples: [], pointer: '' };
        if (source === undefined || target === undefined) throw new Error('no schema');
        expect(samplePayloads(source).length).toBeGreaterThan(0);
        await tryUpcaster({ ...trial, source, target });
      }
      for (let round = 0; round < 5; round++) {
        let values = chain.values();
        let stepwise = payloadOf(values);
        const upcast = await upcasts.upcast(eventAt(15, stepwise), null);
        for (const { apply, mappings } of chain.steps) {
          values = apply(values);
          stepwise = new Mappings(JSON.stringify(mappings)).applyTo(stepwise);
        }
        if (upcast.kind !== 'upcast') throw new Error(JSON.stringify(upcast));
        expect(upcast).toMatchObject({ storedVersion: 1, version: schemas.length });
        expect(upcast.payload).toBe(stepwise);
        expect(sorted(flat(upcast.payload))).toEqual(sorted(values));
      }
    });
  });

  it.each([
    [5, null, 1],
    [10, null, 1],
    [11, null, 1],
    [20, null, 1],
    [21, null, 2],
    [30, null, 2],
    [31, null, 3],
    [31, '{"schema_version":1}', 1],
    [11, '{"schema_version": 2}', 2],
    [11, '{"schema_version":4}', 1],
    [11, '{"schema_version":0}', 1],
    [21, '{"schema_version":"1"}', 2],
    [21, '{"x":{"schema_version":1}}', 2],
    [21, '[1]', 2],
  ])('take an event at %s with the metadata %s for one of version %s', (at, metadata, version) => {
    const upcasts = upcastsOf(subjectOf([V1, V2, V3], STEPS));
    expect(upcasts.upcast(eventAt(at, '{}', metadata), version)).toEqual({ kind: 'same', version });
  });

  it('lead to any version asked for, and say which failure stands in the way of an event', () => {
    const upcasts = upcastsOf(subjectOf([V1, V2, V3], STEPS));
    const event = eventAt(11, '{"a":1.0}');
    expect(upcasts.upcast(event, 2)).toMatchObject({ version: 2, payload: '{"b":1.0}' });
    expect(upcasts.upcast(event, 3)).toMatchObject({ version: 3, payload: '{"c":"1.0"}' });
    expect(upcasts.upcast(event, 4)).toMatchObject({
      kind: 'failed',
      failure: { detail: expect.stringContaining('versions 1 to 3 only') },
    });
    expect(upcasts.upcast(eventAt(31, '{"c":"x"}'), 2)).toMatchObject({
      kind: 'failed',
      failure: { detail: expect.stringContaining('never back') },
    });
    expect(upcasts.upcast(eventAt(11, '{"a":true}'), 2)).toMatchObject({
      kind: 'failed',
      failure: { storedVersion: 1, targetVersion: 2, violations: [{ pointer: '/b' }] },
    });
    expect(upcasts.upcast(eventAt(11, '{"a":true}'), 3)).toMatchObject({
      kind: 'failed',
      failure: { detail: expect.stringContaining('from version 2 to 3, mapping 1: at /c') },
    });
    const without = upcastsOf(subjectOf([V1, V2, V3], STEPS.slice(1)));
    expect(without.upcast(event, null)).toMatchObject({
      kind: 'failed',
      failure: { detail: expect.stringContaining('no upcasters lead there') },
    });
    const none = upcastsOf(subjectOf([], []));
    expect(none.upcast(event, null)).toEqual({ kind: 'same', version: null });
  });

  it('may have functions among their steps, which leave the text of what they do not change', async () => {
    const wholly = { work: { function: '(p) => ({ ...p, b: p.a + 1, a: undefined })' } };
    const subject = subjectOf([V1, V2, V3], STEPS);
    const [first, second] = [...subject.upcasters.values()];
    if (first === undefined || second === undefined) throw new Error('no steps');
    const upcasters = new Map([
      [1, { ...first, ...wholly }],
      [2, second],
    ]);
    const upcasts = upcastsOf({ ...subject, upcasters });
    const event = eventAt(11, '{"a":1.0,"x":{ "n":12345678901234567890, "l":[1.0,2] }}');
    const kept = '"x":{"n":12345678901234567890,"l":[1.0,2]}';
    await expect(upcasts.upcast(event, 2)).resolves.toMatchObject({ payload: `{${kept},"b":2}` });
    await expect(upcasts.upcast(event, 3)).resolves.toMatchObject({ payload: `{${kept},"c":"2"}` });
    const loops = { work: { function: '() => { for (;;); }' } };
    const never = upcastsOf({ ...subject, upcasters: new Map([[1, { ...first, ...loops }]]) });
    await expect(never.upcast(event, 2)).resolves.toMatchObject({
      kind: 'failed',
      failure: { detail: expect.stringContaining('from version 1 to 2, the function fails') },
    });
    const [source, target] = [new CompiledSchema(V1), new CompiledSchema(V2)];
    const trial = { functions, source, target, samples: [], pointer: '' };
    await expect(tryUpcaster({ ...trial, ...wholly })).resolves.toBe(1);
    for (const wrong of ['(p) => p', '(p) => Date.now()', 'nothing'])
      await expect(tryUpcaster({ ...trial, work: { function: wrong } })).rejects.toMatchObject({
        code: 'invalid_upcaster',
        members: { pointer: '/function' },
      });
  });

  it('are complete when a way leads from every older version', () => {
    expect(versionsWithoutPath(stepsOf(), 1)).toEqual([]);
    expect(versionsWithoutPath(stepsOf([1, 2], [2, 3]), 3)).toEqual([]);
    expect(versionsWithoutPath(stepsOf([1, 3], [2, 3]), 3)).toEqual([]);
    expect(versionsWithoutPath(stepsOf([1, 2]), 3)).toEqual([1, 2]);
    expect(versionsWithoutPath(stepsOf([2, 3]), 3)).toEqual([1]);
    const long = Array.from({ length: 150 }, (_, i): [number, number] => [i + 1, i + 2]);
    expect(versionsWithoutPath(stepsOf(...long), 151)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  it('are refused when a sample does not come out as the newer version wants it', async () => {
    const [source, target] = [new CompiledSchema(V1), new CompiledSchema(V2)];
    const trial = (mappings: object[], samples: string[] = []) =>
      tryUpcaster({
        work: { mappings: JSON.stringify(mappings) },
        functions,
        source,
        target,
        samples,
        pointer: '',
      });
    await expect(trial([{ op: 'rename', path: '/a', to: 'b' }])).resolves.toBe(1);
    await expect(trial([])).rejects.toMatchObject({
      code: 'invalid_upcaster',
      members: { pointer: '/mappings' },
    });
    await expect(trial([{ op: 'rename', path: '/a', to: 'b' }], ['{}'])).rejects.toMatchObject({
      members: { pointer: '/samples/0' },
    });
    const split = [{ op: 'split', from: '/a', to: '/b', separator: ' ' }];
    await expect(trial(split, ['{"a":1}'])).rejects.toMatchObject({
      members: { pointer: '/samples/0' },
    });
  });
});
