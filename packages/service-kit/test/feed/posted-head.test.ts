/** Core's head as it is looked up in memory: a head that may be used, or none. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { reportNotTested } from '@allsource/testkit';
import { position } from '@allsource/shared/model';
import {
  encodeHeadPost,
  HEAD_POST,
  type HeadPostRecord,
  headPostName,
  machineMs,
} from '@allsource/shared/protocol';
import { PostedHead } from '../../src/feed/posted-head.ts';

const hasMemoryFolder = existsSync(HEAD_POST.folder);
if (!hasMemoryFolder) reportNotTested('the posted head', `There is no ${HEAD_POST.folder}.`);
const suite = hasMemoryFolder ? describe : describe.skip;

const writer = randomBytes(HEAD_POST.writerBytes);
let logId: string;
let path: string;
let posted: PostedHead;

beforeEach(() => {
  logId = randomBytes(8).toString('hex');
  path = join(HEAD_POST.folder, headPostName(logId));
  posted = new PostedHead();
});

afterEach(() => {
  posted.close();
  rmSync(path, { force: true });
});

function bytesOf(over: Partial<HeadPostRecord> = {}): Buffer {
  const bytes = Buffer.alloc(HEAD_POST.bytes);
  encodeHeadPost({ writer, head: position(7), writtenMs: machineMs(), ...over }, bytes);
  return bytes;
}

/** Writes into the file that is there, as core does. */
function post(bytes: Buffer): void {
  writeFileSync(path, bytes, { flag: existsSync(path) ? 'r+' : 'w' });
}

function follow(): void {
  posted.follow(logId, writer.toString('hex'));
}

suite('a posted head', () => {
  it('is read as it stands at that moment', () => {
    post(bytesOf());
    follow();
    expect(posted.read()).toBe(7);
    post(bytesOf({ head: position(2 ** 40) }));
    expect(posted.read()).toBe(2 ** 40);
  });

  it.each<[string, () => void]>([
    ['by another run of core', () => post(bytesOf({ writer: randomBytes(16) }))],
    ['more than a second ago', () => post(bytesOf({ writtenMs: machineMs() - 1_100 }))],
    ['by a clock that is ahead', () => post(bytesOf({ writtenMs: machineMs() + 1_100 }))],
    ['in part', () => post(Buffer.concat([bytesOf().subarray(0, 30), Buffer.alloc(10)]))],
    ['and cut', () => writeFileSync(path, bytesOf().subarray(0, 39))],
    ['and taken down', () => rmSync(path)],
    ['and replaced by another file', () => (rmSync(path), post(bytesOf({ head: position(9) })))],
  ])('is none when it was written %s', async (_how, happens) => {
    post(bytesOf());
    follow();
    expect(posted.read()).toBe(7);
    happens();
    // For so long the name of the file is relied on.
    await new Promise((resolve) => setTimeout(resolve, HEAD_POST.namedMs + 1));
    expect(posted.read()).toBeNull();
  });

  it('is used again when core was only held up, and that of its next run once core has named it', () => {
    post(bytesOf({ writtenMs: machineMs() - 5_000 }));
    follow();
    expect(posted.read()).toBeNull();
    post(bytesOf());
    expect(posted.read()).toBe(7);
    const next = randomBytes(HEAD_POST.writerBytes);
    post(bytesOf({ writer: next, head: position(8) }));
    expect(posted.read()).toBeNull();
    posted.follow(logId, next.toString('hex'));
    expect(posted.read()).toBe(8);
  });

  it('is none where core names no writer, there is no file, or the name leads elsewhere', () => {
    follow();
    expect(posted.read()).toBeNull();
    post(bytesOf());
    posted.follow(logId, null);
    expect(posted.read()).toBeNull();
    const other = `${path}-elsewhere`;
    writeFileSync(other, readFileSync(path));
    rmSync(path);
    symlinkSync(other, path);
    follow();
    expect(posted.read()).toBeNull();
    rmSync(other);
  });
});
