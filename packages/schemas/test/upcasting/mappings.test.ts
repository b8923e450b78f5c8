/** Mappings: what each does, what it refuses, and that nothing else of a payload changes. */
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { Mappings, UpcastFault } from '../../src/upcasting/index.ts';

function upcast(payload: string, ...mappings: object[]): string {
  return new Mappings(JSON.stringify(mappings)).applyTo(payload);
}

function refusal(mappings: string): { code: string; pointer: unknown; detail: string } {
  try {
    const taken = new Mappings(mappings).applyTo('{}');
    return { code: 'taken', pointer: null, detail: taken };
  } catch (error) {
    if (error instanceof Problem)
      return { code: error.code, pointer: error.members.pointer, detail: error.message };
    throw error;
  }
}

describe('mappings', () => {
  it.each([
    [
      'rename keeps the value as it was sent',
      '{"a":12345678901234567890,"b":1.0}',
      [{ op: 'rename', path: '/a', to: 'c' }],
      '{"b":1.0,"c":12345678901234567890}',
    ],
    [
      'rename below a place',
      '{"x":{"a":1e400}}',
      [{ op: 'rename', path: '/x/a', to: 'b' }],
      '{"x":{"b":1e400}}',
    ],
    [
      'move makes the objects on the way',
      '{"city":"Ulm"}',
      [{ op: 'move', from: '/city', to: '/address/main/city' }],
      '{"address":{"main":{"city":"Ulm"}}}',
    ],
    ['drop', '{"a":1,"b":[1, 2]}', [{ op: 'drop', path: '/a' }], '{"b":[1, 2]}'],
    ['drop of an item', '{"b":[1,2,3]}', [{ op: 'drop', path: '/b/1' }], '{"b":[1,3]}'],
    [
      'default where there is nothing',
      '{}',
      [{ op: 'default', path: '/a', value: { x: [1] } }],
      '{"a":{"x":[1]}}',
    ],
    [
      'default where there is something',
      '{"a": null}',
      [{ op: 'default', path: '/a', value: 1 }],
      '{"a": null}',
    ],
    ['constant', '{"a":7}', [{ op: 'constant', path: '/a', value: 'x' }], '{"a":"x"}'],
    [
      'cast of a number keeps its digits',
      '{"a":1.0}',
      [{ op: 'cast', path: '/a', to: 'string' }],
      '{"a":"1.0"}',
    ],
    [
      'cast of a text keeps its digits',
      '{"a":"12345678901234567890.10"}',
      [{ op: 'cast', path: '/a', to: 'number' }],
      '{"a":12345678901234567890.10}',
    ],
    ['cast of null', '{"a":null}', [{ op: 'cast', path: '/a', to: 'number' }], '{"a":null}'],
    [
      'split',
      '{"name":"Ada King Lovelace"}',
      [{ op: 'split', from: '/name', to: ['/first', '/last'], separator: ' ' }],
      '{"first":"Ada","last":"King Lovelace"}',
    ],
    [
      'split with too few parts',
      '{"name":"Ada"}',
      [{ op: 'split', from: '/name', to: ['/first', '/last'], separator: ' ' }],
      '{"first":"Ada"}',
    ],
    [
      'split into a list',
      '{"tags":"a,b"}',
      [{ op: 'split', from: '/tags', to: '/tags', separator: ',' }],
      '{"tags":["a","b"]}',
    ],
    [
      'join',
      '{"first":"Ada","last":"King","n":1.50}',
      [{ op: 'join', from: ['/first', '/none', '/last', '/n'], to: '/name', separator: ' ' }],
      '{"name":"Ada King 1.50"}',
    ],
    [
      'items of an array',
      '{"items":[{"p":"1"},{"p":"2.0","q":{ }}]}',
      [
        { op: 'cast', path: '/items/*/p', to: 'number' },
        { op: 'move', from: '/items/*/p', to: '/items/*/price/net' },
      ],
      '{"items":[{"price":{"net":1}},{"q":{ },"price":{"net":2.0}}]}',
    ],
    [
      'a member named *',
      '{"*":{"a":1}}',
      [{ op: 'rename', path: '/*/a', to: 'b' }],
      '{"*":{"b":1}}',
    ],
    [
      'escaped pointers',
      '{"a/b":{"~":1}}',
      [{ op: 'move', from: '/a~1b/~0', to: '/c' }],
      '{"a/b":{},"c":1}',
    ],
    [
      'names that objects have of themselves',
      '{"__proto__":1}',
      [{ op: 'move', from: '/__proto__', to: '/constructor/prototype' }],
      '{"constructor":{"prototype":1}}',
    ],
    [
      'in the order given',
      '{"a":1}',
      [
        { op: 'rename', path: '/a', to: 'b' },
        { op: 'rename', path: '/b', to: 'c' },
      ],
      '{"c":1}',
    ],
  ] as const)('%s', (_title, payload, mappings, expected) => {
    expect(upcast(payload, ...mappings)).toBe(expected);
  });

  it.each(['{ "a" : 1.0, "b" :[ ] }', '"text"', '12345678901234567890', '[1.0]', 'null'])(
    'leave %s alone byte by byte where there is nothing for them to do',
    (payload) => {
      const mappings = [
        { op: 'drop', path: '/nothing' },
        { op: 'rename', path: '/n/o', to: 'x' },
        { op: 'cast', path: '/none', to: 'number' },
        { op: 'move', from: '/z/*/y', to: '/z/*/x' },
        { op: 'split', from: '/none', to: '/n', separator: ' ' },
        { op: 'join', from: ['/n1', '/n2'], to: '/n', separator: ' ' },
      ];
      expect(upcast(payload, ...mappings)).toBe(payload);
    },
  );

  it.each([
    ['{"a":1,"b":2}', { op: 'rename', path: '/a', to: 'b' }, 'there is a value at /b already'],
    [
      '{"a":1,"b":2}',
      { op: 'move', from: '/a', to: '/b/c' },
      'nothing can be put at /b/c: what stands above it is a number',
    ],
    [
      '{"a":"1x"}',
      { op: 'cast', path: '/a', to: 'number' },
      'at /a stands "1x", which is not a number written as JSON writes one',
    ],
    ['{"a":" 1"}', { op: 'cast', path: '/a', to: 'number' }, 'at /a stands " 1"'],
    ['{"a":true}', { op: 'cast', path: '/a', to: 'string' }, 'not a string or a number'],
    ['{"a":5}', { op: 'split', from: '/a', to: '/b', separator: ',' }, 'not a string'],
    [
      '{"a":[1]}',
      { op: 'move', from: '/a/0', to: '/a/7' },
      'nothing can be put at /a/7: what stands above it is an array',
    ],
    ['[1]', { op: 'default', path: '/x', value: 1 }, 'what stands above it is an array'],
  ])('say of %s what cannot be done', (payload, mapping, message) => {
    expect(() => upcast(payload, mapping)).toThrow(UpcastFault);
    expect(() => upcast(payload, mapping)).toThrow('mapping 0: ');
    expect(() => upcast(payload, mapping)).toThrow(message);
  });

  it.each([
    ['{}', '/mappings'],
    ['[5]', '/mappings/0'],
    ['[{"op":"drop","path":"/a"},{"op":"eval","path":"/a"}]', '/mappings/1/op'],
    ['[{"op":"constructor","path":"/a"}]', '/mappings/0/op'],
    ['[{"op":"drop"}]', '/mappings/0/path'],
    ['[{"op":"drop","path":"a"}]', '/mappings/0/path'],
    ['[{"op":"drop","path":""}]', '/mappings/0/path'],
    ['[{"op":"drop","path":"/~2"}]', '/mappings/0/path'],
    ['[{"op":"drop","path":"/a","value":1}]', '/mappings/0/value'],
    ['[{"op":"cast","path":"/a","to":"boolean"}]', '/mappings/0/to'],
    ['[{"op":"constant","path":"/a"}]', '/mappings/0/value'],
    ['[{"op":"split","from":"/a","to":[],"separator":","}]', '/mappings/0/to'],
    ['[{"op":"split","from":"/a","to":["/b",1],"separator":","}]', '/mappings/0/to/1'],
    ['[{"op":"split","from":"/a","to":"/b","separator":""}]', '/mappings/0/separator'],
    ['[{"op":"move","from":"/a/*/b","to":"/c"}]', '/mappings/0'],
    ['[{"op":"move","from":"/a/*/b","to":"/c/*/b"}]', '/mappings/0'],
    [
      `[{"op":"drop","path":"${'/a'.repeat(LIMITS.upcasterPointerTokensMax + 1)}"}]`,
      '/mappings/0/path',
    ],
    [
      JSON.stringify(
        Array.from({ length: LIMITS.upcasterMappingsMax + 1 }, () => ({ op: 'drop', path: '/a' })),
      ),
      '/mappings',
    ],
  ])('that are not allowed are refused with a pointer: %.60s', (text, pointer) => {
    expect(refusal(text)).toMatchObject({ code: 'invalid_upcaster', pointer });
  });

  it('end when they multiply', () => {
    const items = `{"i":[${Array.from({ length: 20_000 }, () => '{}').join(',')}]}`;
    const large = { op: 'constant', path: '/i/*/x', value: 'x'.repeat(60_000) };
    expect(() => upcast(items, large)).toThrow('add more than');
    const many = Array.from({ length: 200 }, () => ({ op: 'default', path: '/i/*/x', value: 1 }));
    expect(() => upcast(items, ...many)).toThrow('look at more places');
    const deeper = Array.from({ length: 100 }, () => [
      { op: 'move', from: '/a', to: '/b/c' },
      { op: 'rename', path: '/b', to: 'a' },
    ]).flat();
    expect(() => upcast('{"a":1}', ...deeper)).toThrow('nests deeper');
  });
});
