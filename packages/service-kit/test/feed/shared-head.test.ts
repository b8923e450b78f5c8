import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { reportNotTested } from '@allsource/testkit';
import { position } from '@allsource/shared/model';
import { encodeHeadPost, HEAD_POST, headPostName, machineMs } from '@allsource/shared/protocol';
import { CoreEndpoint } from '../../src/feed/core-endpoint.ts';
import { systemTimers } from '../../src/feed/follower-timers.ts';
import { PostedHead } from '../../src/feed/posted-head.ts';
import { SharedHead } from '../../src/feed/shared-head.ts';

const hasMemoryFolder = existsSync(HEAD_POST.folder);
if (!hasMemoryFolder) reportNotTested('the shared head', `There is no ${HEAD_POST.folder}.`);
const suite = hasMemoryFolder ? describe : describe.skip;

const writer = randomBytes(HEAD_POST.writerBytes);
const logId = randomBytes(8).toString('hex');
const path = join(HEAD_POST.folder, headPostName(logId));

/** Posts a head as core does. */
function post(head: number): void {
  const bytes = Buffer.alloc(HEAD_POST.bytes);
  encodeHeadPost({ writer, head: position(head), writtenMs: machineMs() }, bytes);
  writeFileSync(path, bytes, { flag: existsSync(path) ? 'r+' : 'w' });
}

suite('a posted head', () => {
  it('is looked up once for all who ask together, after the last of them has asked', async () => {
    let questions = 0;
    const server = createServer((_request, response) => {
      questions += 1;
      response.end(JSON.stringify({ head: 1, log_id: logId, writer: writer.toString('hex') }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const coreUrl = `http://127.0.0.1:${port}`;
    const endpoint = new CoreEndpoint({ coreUrl, internalToken: 'token-of-the-test' });
    const posted = new PostedHead();
    const shared = new SharedHead({
      endpoint,
      line: null,
      posted,
      timers: systemTimers,
      appliedPosition: () => position(0),
    });
    try {
      post(7);
      expect((await shared.latest()).head).toBe(1);
      const first = shared.latest();
      post(8);
      const second = shared.latest();
      expect([(await first).head, (await second).head]).toEqual([8, 8]);
      post(9);
      expect((await shared.latest()).head).toBe(9);
      expect(questions).toBe(1);
    } finally {
      posted.close();
      endpoint.close();
      server.close();
      rmSync(path, { force: true });
    }
  });
});
