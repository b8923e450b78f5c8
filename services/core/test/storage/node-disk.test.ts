import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DiskFile } from '../../src/storage/disk.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';

/** Neither a whole number of steps nor of the zeros that are written over and over. */
const BYTES = 5 * 1024 * 1024 + 300_001;
const HELD = 'what is there';

let folder: TemporaryFolder;
let file: DiskFile;

beforeEach(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'filled'), HELD);
  file = await new NodeDisk(folder.path).open('filled', 'write');
});

afterEach(async () => {
  await file.close();
  folder.remove();
});

const content = () => readFileSync(join(folder.path, 'filled'));

describe('a file that is filled with zeros', () => {
  test('keeps what it holds and has zeros behind, to the byte', async () => {
    const asked: number[] = [];
    const turn = (bytes: number) => {
      asked.push(bytes);
      return bytes % 2 === 0 ? true : Promise.resolve(true);
    };
    expect(await file.fillWithZeros(BYTES, turn)).toBe(true);
    expect(content().equals(Buffer.concat([Buffer.from(HELD)], BYTES))).toBe(true);
    expect(asked[0]).toBe(HELD.length);
    expect(asked).toEqual(asked.toSorted((a, b) => a - b));
    expect(asked.length).toBeGreaterThan(5);
  });

  test('is left where it is when no more is wanted, with nothing under way', async () => {
    let turns = 0;
    expect(await file.fillWithZeros(BYTES, () => ++turns < 5)).toBe(false);
    const left = content();
    expect(left.length).toBeLessThan(BYTES);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(content().equals(left)).toBe(true);
    expect(left.equals(Buffer.concat([Buffer.from(HELD)], left.length))).toBe(true);
  });

  test('is not begun when the space is not there', async () => {
    await expect(file.fillWithZeros(Number.MAX_SAFE_INTEGER, () => true)).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect(content().toString()).toBe(HELD);
  });
});
