/** What a pipeline may be: each fault is refused with a pointer to it, and everything that is allowed is taken. */
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { requireNoLoop } from '../../src/pipelines/definition/loops.ts';
import { parsePipelineWish } from '../../src/pipelines/definition/parse-pipeline.ts';

const GOOD = {
  name: 'n',
  source_event_types: ['a.b'],
  operators: [],
  enabled: true,
  output: 'c.d',
};

function refused(change: object): { readonly pointer: unknown; readonly detail: string } {
  try {
    parsePipelineWish({ ...GOOD, ...change });
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid_body')
      return { pointer: error.members['pointer'], detail: error.message };
    throw error;
  }
  throw new TypeError(`taken: ${JSON.stringify(change)}`);
}

const op = (operator: object) => ({ operators: [operator] });
const window = (
  config: object,
  aggregation: object = { type: 'reduce', field: 'n', function: 'sum' },
) =>
  op({
    type: 'window',
    config: { window_type: 'tumbling', size_seconds: 10, ...config },
    aggregation,
  });

describe('a definition', () => {
  it.each([
    [{ nmae: 'x' }, '/nmae'],
    [{ name: '' }, '/name'],
    [{ name: undefined }, '/name'],
    [{ id: 'no-uuid' }, '/id'],
    [{ enabled: 'yes' }, '/enabled'],
    [{ start_from: 'end' }, '/start_from'],
    [{ source_event_types: ['A.b'] }, '/source_event_types/0'],
    [{ source_event_types: ['_system.tenant.created'] }, '/source_event_types/0'],
    [{ source_event_types: 'a' }, '/source_event_types'],
    [{ operators: {} }, '/operators'],
    [op({ type: 'sort' }), '/operators/0/type'],
    [op({ type: 'filter', field: 'a', op: 'eq' }), '/operators/0/value'],
    [op({ type: 'filter', field: 'a', op: 'gt', value: true }), '/operators/0/value'],
    [op({ type: 'filter', field: 'a..b', op: 'eq', value: 1 }), '/operators/0/field'],
    [op({ type: 'filter', field: 'a', op: 'like', value: 1 }), '/operators/0/op'],
    [op({ type: 'filter', field: 'a', op: 'eq', value: 1, not: 1 }), '/operators/0/not'],
    [op({ type: 'map', field: 'a', transform: 'multiply:x' }), '/operators/0/transform'],
    [op({ type: 'map', field: 'a', transform: 'multiply:1e999' }), '/operators/0/transform'],
    [op({ type: 'reduce', field: 'a', function: 'median' }), '/operators/0/function'],
    [window({ size_seconds: 0 }), '/operators/0/config/size_seconds'],
    [window({ window_type: 'hopping' }), '/operators/0/config/window_type'],
    [window({ lateness: 1 }), '/operators/0/config/lateness'],
    [window({ window_type: 'sliding', slide_seconds: 20 }), '/operators/0/config/slide_seconds'],
    [window({ window_type: 'sliding', slide_seconds: 0.01 }), '/operators/0/config/slide_seconds'],
    [window({}, { type: 'filter' }), '/operators/0/aggregation/type'],
    [op({ type: 'enrich', source: 'ldap:x', fields: ['a'] }), '/operators/0/source'],
    [
      op({ type: 'enrich', source: 'https://{key}.example.com/', fields: ['a'] }),
      '/operators/0/source',
    ],
    [op({ type: 'enrich', source: 'https://example.com/', fields: ['a'] }), '/operators/0/source'],
    [op({ type: 'enrich', source: 'rows', fields: ['a'] }), '/operators/0/rows'],
    [op({ type: 'enrich', source: 'rows', rows: {}, fields: [] }), '/operators/0/fields'],
    [op({ type: 'branch', field: 'a', branches: {} }), '/operators/0/branches'],
    [op({ type: 'branch', field: 'a', branches: { 'x/y': 1 } }), '/operators/0/branches/x~1y'],
    [{ output: undefined }, '/output'],
    [{ output: 'Not A Type' }, '/output'],
    [{ output: '_system.x' }, '/output'],
    [{ output: 'webhook:ftp://example.com' }, '/output'],
    [{ output: { kind: 'file' } }, '/output/kind'],
    [{ output: { kind: 'emit', event_type: 'a', key: 'x' } }, '/output/key'],
    [
      { output: { kind: 'webhook', url: 'https://example.com', secret: 'short' } },
      '/output/secret',
    ],
    [
      { output: { kind: 'branches', branches: { a: { kind: 'branches', branches: { b: 'c' } } } } },
      '/output/branches/a/kind',
    ],
  ] as [object, string][])('%j is refused at %s', (change, pointer) => {
    expect(refused(change).pointer).toBe(pointer);
  });

  it('shows no secret of its webhooks, and keeps those it has', () => {
    const webhook = { kind: 'webhook', url: 'https://example.com/hook' };
    const output = {
      kind: 'branches',
      branches: { a: webhook, b: { ...webhook, secret: `whsec_${'A'.repeat(40)}` } },
      default: 'webhook:https://example.com/',
    };
    const wish = parsePipelineWish({ ...GOOD, output });
    expect(JSON.stringify(wish.output)).not.toContain('whsec_');
    expect(Object.keys(wish.madeSecrets).sort()).toEqual(['*', 'a']);
    expect(wish.secrets['b']).toBe(`whsec_${'A'.repeat(40)}`);
    const again = parsePipelineWish({ ...GOOD, output }, wish.secrets);
    expect([again.madeSecrets, again.secrets]).toEqual([{}, wish.secrets]);
  });

  it('begins with the whole log for a table, and with what comes for what acts on others', () => {
    expect(parsePipelineWish({ ...GOOD, output: 'table' }).start_from).toBe('beginning');
    expect(parsePipelineWish(GOOD).start_from).toBe('now');
  });
});

const passage = (id: string, sourceEventTypes: string[], eventType: string) => ({
  id,
  sourceEventTypes,
  output: { kind: 'emit' as const, eventType, entityField: null },
});

describe('loops', () => {
  it('are found in the definitions, however long the way is', () => {
    const others = [passage('2', ['b.*'], 'c'), passage('3', ['c'], 'd'), passage('4', ['x'], 'y')];
    const check = (source: string[], to: string) => () =>
      requireNoLoop(passage('1', source, to), others);
    expect(check(['d'], 'b.one')).toThrow(
      'b.one, which is read to write c, which is read to write d',
    );
    expect(check(['a'], 'b.one')).not.toThrow();
    expect(check([], 'z')).toThrow('feed itself');
    expect(check(['a.*'], 'a')).toThrow('feed itself');
    // What it was before does not count.
    expect(() => requireNoLoop(passage('2', ['y'], 'b.one'), others)).not.toThrow();
  });
});
