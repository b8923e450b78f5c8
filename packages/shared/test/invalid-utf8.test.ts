import { isUtf8 } from 'node:buffer';
import { expect, it } from '@jest/globals';
import { invalidUtf8At } from '../src/json/index.ts';

const CHARACTERS = ['a', 'é', '€', '𐍈', '\0', '\u{10ffff}'];
const LENGTHS = [1, 2, 3, 4];

/** Looks at one character after the other. */
function plainly(text: Uint8Array): number | null {
  let at = 0;
  while (at < text.length) {
    const length = LENGTHS.find((n) => at + n <= text.length && isUtf8(text.subarray(at, at + n)));
    if (length === undefined) return at;
    at += length;
  }
  return null;
}

it('the first byte that is not UTF-8 is found wherever it lies, in texts of all lengths', () => {
  let bad = 0;
  for (let seed = 0; seed < 20_000; seed++) {
    const length = seed % 97;
    const text = Buffer.from(
      Array.from({ length }, (_, i) => CHARACTERS[(seed * 7 + i * i) % CHARACTERS.length]).join(''),
    );
    // One to six bytes that are anything: stray ones, cut characters, surrogates, long forms.
    const at = (seed * 31) % (text.length + 1);
    const changed = Buffer.concat([
      text.subarray(0, at),
      Buffer.from(Array.from({ length: seed % 7 }, (_, i) => (seed * 13 + i * 101) % 256)),
      text.subarray(at + (seed % 3)),
    ]);
    const expected = plainly(changed);
    if (expected !== null) bad += 1;
    expect(invalidUtf8At(changed)).toBe(expected);
  }
  expect(bad).toBeGreaterThan(1000);
});

it('a run of bytes that go on with nothing is found at its first', () => {
  for (const before of [0, 1, 7, 40, 1000]) {
    const text = Buffer.concat([
      Buffer.alloc(before, 'x'),
      Buffer.alloc(60, 0x80),
      Buffer.from('x'),
    ]);
    expect(invalidUtf8At(text)).toBe(before);
    expect(invalidUtf8At(Buffer.concat([Buffer.from('é'.repeat(before)), text]))).toBe(3 * before);
  }
});
