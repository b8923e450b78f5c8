/** The file in which core posts its head: what it holds, whose it is, and what a run leaves to the next. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { decodeHeadPost, HEAD_POST, headPostName, machineMs } from '@allsource/shared/protocol';
import { reportNotTested } from '@allsource/testkit';
import { createLogger } from '@allsource/service-kit/observability';
import { HeadPost } from '../../src/feed/head-post.ts';

const hasMemoryFolder = existsSync(HEAD_POST.folder);
if (!hasMemoryFolder) reportNotTested('the head post', `There is no ${HEAD_POST.folder}.`);
const suite = hasMemoryFolder ? describe : describe.skip;

const logger = createLogger('core', 'silent');
const opened: HeadPost[] = [];
let log: { head: ReturnType<typeof position>; logId: Buffer };
let path: string;

beforeEach(() => {
  log = { head: position(3), logId: randomBytes(8) };
  path = join(HEAD_POST.folder, headPostName(log.logId.toString('hex')));
});

afterEach(() => {
  for (const post of opened.splice(0)) post.close();
  rmSync(path, { force: true });
});

async function open(): Promise<HeadPost | null> {
  const post = await HeadPost.open({ log, logger });
  if (post !== null) opened.push(post);
  return post;
}

function found() {
  return decodeHeadPost(readFileSync(path));
}

suite('the head post', () => {
  it('says the head from its opening on, by whom and when, to nobody but its owner', async () => {
    const post = await open();
    expect(found()).toMatchObject({ head: 3, writer: post?.writer });
    expect(Math.abs(machineMs() - (found()?.writtenMs ?? 0))).toBeLessThan(60_000);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    post?.post(position(4));
    expect(found()?.head).toBe(4);
  });

  it('is written again while nothing happens, with the head of that moment', async () => {
    await open();
    const before = found()?.writtenMs ?? 0;
    log.head = position(12);
    while (found()?.head !== 12) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(found()?.writtenMs).toBeGreaterThan(before);
  });

  it('goes into the file that an earlier run has left, so that nobody keeps an old one', async () => {
    const first = await open();
    const { ino } = statSync(path);
    const second = await open();
    expect(statSync(path).ino).toBe(ino);
    expect(found()?.writer).toEqual(second?.writer);
    expect(second?.writer).not.toEqual(first?.writer);
  });

  it('is taken down in the end, and writes no more', async () => {
    const post = await open();
    post?.close();
    expect(existsSync(path)).toBe(false);
    post?.post(position(5));
    post?.close();
    expect(existsSync(path)).toBe(false);
  });

  it('of an earlier run is withdrawn by a run that posts nothing', async () => {
    await open();
    await HeadPost.withdraw(log);
    expect(existsSync(path)).toBe(false);
    await HeadPost.withdraw(log);
  });

  it.each<[string, () => void]>([
    ['that others may read', () => (writeFileSync(path, ''), chmodSync(path, 0o644))],
    ['that is a link', () => symlinkSync('/dev/null', path)],
  ])('is not written into a file %s', async (_which, prepare) => {
    prepare();
    const at = openSync(path, 'r');
    expect(await open()).toBeNull();
    expect(readFileSync(at)).toHaveLength(0);
    closeSync(at);
    expect(existsSync(path)).toBe(false);
  });
});
