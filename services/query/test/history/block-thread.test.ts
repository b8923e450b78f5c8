import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { POSITION_ZERO } from '@allsource/shared/model';
import { contentOf } from '../../src/history/block/block-content.ts';
import { BlockThread } from '../../src/history/block/block-thread.ts';
import { writeBlock } from '../../src/history/block/block-writer.ts';
import { payloadAt } from '../../src/history/row-text.ts';
import { Tail } from '../../src/history/tail/tail.ts';
import { randomLog } from '../support/generated-log.ts';
import { withFolder } from '../support/temporary-folder.ts';

const LOG_ID = Buffer.from('0102030405060708', 'hex');

function filledTail({ seed = 7, events = 400 } = {}): Tail {
  const tail = new Tail(POSITION_ZERO, { rows: events, frameBytes: 2 ** 30 });
  for (const frame of randomLog({ seed, events, pastShare: 0.2 }).frames)
    if (frame.isSystem) tail.cover(frame.lastPosition);
    else tail.append(frame);
  return tail;
}

function textOf(tail: Tail): string {
  return Array.from({ length: tail.rowCount }, (_, row) => String(payloadAt(tail, row))).join('\n');
}

describe('the thread that writes blocks', () => {
  it('writes the bytes that would be written here, and leaves the tail readable', async () => {
    await withFolder(async (folder) => {
      const thread = new BlockThread();
      const tail = filledTail();
      const job = { folder, content: contentOf(tail), logId: LOG_ID };
      const before = textOf(tail);
      const path = await thread.write(job);
      const written = readFileSync(path);
      expect(await writeBlock(job)).toBe(path);
      expect(readFileSync(path).equals(written)).toBe(true);
      expect(before.length).toBeGreaterThan(1000);
      expect(textOf(tail)).toBe(before);
      await thread.close();
    });
  });

  it('writes blocks of any length, one after the other and at once', async () => {
    await withFolder(async (folder) => {
      const thread = new BlockThread();
      const sizes = [3_000, 20, 12_000, 8_000, 400, 1];
      const jobs = sizes.map((events, seed) => {
        const content = contentOf(filledTail({ seed, events }));
        return { folder: mkdtempSync(join(folder, 'block-')), content, logId: LOG_ID };
      });
      const paths: string[] = [];
      for (const job of jobs.slice(0, 3)) paths.push(await thread.write(job));
      paths.push(...(await Promise.all(jobs.slice(3).map((job) => thread.write(job)))));
      const written = paths.map((path) => readFileSync(path));
      for (const [i, job] of jobs.entries()) {
        await writeBlock(job);
        expect(readFileSync(must(paths[i], 'a path')).equals(must(written[i], 'a block'))).toBe(
          true,
        );
      }
      await thread.close();
    });
  });

  it('tells what the disk said, goes on with the next job, and takes none when it is closed', async () => {
    await withFolder(async (folder) => {
      const thread = new BlockThread();
      const job = { folder, content: contentOf(filledTail()), logId: LOG_ID };
      const missing = { ...job, folder: join(folder, 'missing') };
      await expect(thread.write(missing)).rejects.toMatchObject({
        code: 'ENOENT',
        syscall: 'open',
      });
      await expect(thread.write(job)).resolves.toContain(folder);
      await thread.close();
      await expect(thread.write(job)).rejects.toMatchObject({ code: 'shutting_down' });
    });
  });
});
