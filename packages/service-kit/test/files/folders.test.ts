/** Folders that survive a loss of power: which of them are synced. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { makeFolder } from '../../src/files/folders.ts';

let folder: string;
let opened: string[];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'folders-'));
  opened = [];
  const { open } = fs.promises;
  jest.spyOn(fs.promises, 'open').mockImplementation((path, ...rest) => {
    opened.push(String(path));
    return open(path, ...rest);
  });
});

afterEach(() => {
  jest.restoreAllMocks();
  fs.rmSync(folder, { recursive: true });
});

it('a folder is made with those above it, and each is synced as a name in the one above', async () => {
  const path = join(folder, 'a', 'b');
  await makeFolder(path);
  expect(fs.existsSync(path)).toBe(true);
  expect(opened.slice(0, 3)).toEqual([join(folder, 'a'), folder, dirname(folder)]);
  expect(opened.at(-1)).toBe('/');
});

it('a folder that is there is synced too: who made it may have ended before a sync', async () => {
  const path = join(folder, 'there');
  fs.mkdirSync(path);
  await makeFolder(path);
  expect(opened.slice(0, 2)).toEqual([folder, dirname(folder)]);
});

it.each(['EACCES', 'EROFS', 'EINVAL'])(
  'nothing is synced above a folder that refuses with %s',
  async (code) => {
    const refused = Object.assign(new Error('refused'), { code });
    jest.mocked(fs.promises.open).mockImplementation((path) => {
      opened.push(String(path));
      return Promise.reject(refused);
    });
    await makeFolder(join(folder, 'a'));
    expect(opened).toEqual([folder]);
  },
);

it('any other failure of a sync is told', async () => {
  const failed = Object.assign(new Error('failed'), { code: 'EIO' });
  jest.mocked(fs.promises.open).mockRejectedValue(failed);
  await expect(makeFolder(join(folder, 'a'))).rejects.toBe(failed);
});
