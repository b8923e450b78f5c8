import { describe, expect, it } from '@jest/globals';
import { AdjoiningBytes } from './adjoining-bytes.ts';

describe('adjoining bytes', () => {
  it('go out as one piece where they lie side by side, and in order where they do not', () => {
    const memory = Buffer.from('abcdefgh');
    const other = Buffer.from('XY');
    const bytes = new AdjoiningBytes();
    for (const piece of [
      memory.subarray(0, 2),
      memory.subarray(2, 5),
      other,
      memory.subarray(5, 6),
      memory.subarray(7, 8),
      memory.subarray(6, 7),
      memory.subarray(7, 8),
    ])
      bytes.add(piece);
    expect(bytes.takeAll().map(String)).toEqual(['abcde', 'XY', 'f', 'h', 'gh']);
    expect(bytes.takeAll()).toEqual([]);
  });
});
