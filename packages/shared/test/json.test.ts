import { isUtf8 } from 'node:buffer';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { formatRawMembers, JsonScanner, JsonSyntaxError, rawMembers } from '../src/json/index.ts';

const SUITE = join(import.meta.dirname, '../../../../shared/data/json-parsing-suite/test_parsing');

function scans(bytes: Uint8Array, depthMax = 1_000_000): boolean {
  if (!isUtf8(bytes)) return false;
  const scanner = new JsonScanner(bytes, depthMax);
  try {
    scanner.skipWhitespace();
    scanner.skipValue();
    scanner.expectEnd();
    return true;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return false;
    throw error;
  }
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

describe('the scanner agrees with JSON.parse', () => {
  it('on the published parsing suite, or on hand-written cases where it is not at hand', () => {
    const isThere = existsSync(SUITE);
    if (!isThere)
      console.warn(
        'json-parsing-suite is not beside this clone: hand-written cases are used instead',
      );
    const cases = isThere
      ? readdirSync(SUITE).map((name) => ({ name, bytes: readFileSync(join(SUITE, name)) }))
      : ['{}', '[1,]', '{"a":1}', '01', '"\\x"', 'nul', '[', '-', '1e', '"\t"'].map((text) => ({
          name: text,
          bytes: Buffer.from(text),
        }));
    // Recursion is bounded by the depth limit in real use; here the deepest cases meet a limit that the stack can bear.
    for (const { name, bytes } of cases)
      expect([name, scans(bytes, 600)]).toEqual([name, parses(bytes)]);
    console.info(`json-parsing-suite: ${cases.length} documents compared`);
  });

  it('on 100,000 mutated documents (seed 1)', () => {
    const random = seeded(1);
    const base = [
      '{"a":[1,-2.5e+3,true,false,null,"x\\u00e9\\n"],"b":{"c":""}}',
      '[[],{},"\\ud83d\\ude00",0.1,"é"]',
      ' {"k" : 1e5 } ',
    ];
    const alphabet = Buffer.from('{}[]",:\\u0123456789eE+-.truefalsn \t\n\u00e9x');
    const wrong: string[] = [];
    for (let i = 0; i < 100_000; i++) {
      const bytes = Buffer.from(base[i % base.length] as string);
      for (let k = random(3) + 1; k > 0; k--)
        bytes[random(bytes.length)] = alphabet[random(alphabet.length)] as number;
      // One by one and not by `expect`, which would take longer than all the rest.
      if (scans(bytes) !== parses(bytes)) wrong.push(bytes.toString('latin1'));
    }
    expect(wrong).toEqual([]);
  });
});

function deep(levels: number): Buffer {
  return Buffer.from('['.repeat(levels) + ']'.repeat(levels));
}

describe('depth', () => {
  it('is limited without recursion getting deeper than the limit', () => {
    expect(scans(deep(64), 64)).toBe(true);
    expect(scans(deep(65), 64)).toBe(false);
    expect(scans(Buffer.from('['.repeat(100_000)), 64)).toBe(false);
  });
});

describe('raw members', () => {
  it('keep every byte of their values, and the last of equal names wins', () => {
    const members = rawMembers(
      Buffer.from(
        '{"a": 1.0, "big":12345678901234567890, "a" : [ 1 , 2 ], "__proto__":{"x":1}, "\\u0062":null}',
      ),
    );
    expect([...(members ?? [])]).toEqual([
      ['a', '[ 1 , 2 ]'],
      ['big', '12345678901234567890'],
      ['__proto__', '{"x":1}'],
      ['b', 'null'],
    ]);
    expect(formatRawMembers(members ?? new Map())).toBe(
      '{"a":[ 1 , 2 ],"big":12345678901234567890,"__proto__":{"x":1},"b":null}',
    );
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('of anything but an object are null', () => {
    for (const text of ['[1]', '1', '"x"', 'null'])
      expect(rawMembers(Buffer.from(text))).toBeNull();
  });
});

function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
