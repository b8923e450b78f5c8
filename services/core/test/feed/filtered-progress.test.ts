import { expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { decodeSingleFeedMessage } from '@allsource/shared/protocol';
import { CommitFeed } from '../../src/feed/commit-feed.ts';
import { MemoryLog } from '../support/memory-log.ts';

it('a filtered feed over a long stretch of other events says how far it has come while it goes on', async () => {
  const log = new MemoryLog();
  for (let i = 0; i < 40; i++) log.append('acme', [{}]);
  log.beforeRead = () => new Promise((resolve) => setTimeout(resolve, 5));
  const gone = new AbortController();
  const heads: number[] = [];
  const reader = {
    write: (bytes: Buffer) => {
      const message = decodeSingleFeedMessage(bytes);
      if (message.kind === 'head') heads.push(message.head);
      if (message.kind === 'head' && message.head === 40) gone.abort();
      return Promise.resolve(true);
    },
  };
  const feed = new CommitFeed(log, { idleNoticeMs: 20 });
  await feed.send({ from: position(1), to: null, onlySystem: true }, reader, gone.signal);
  expect(heads.length).toBeGreaterThan(2);
  expect(heads).toEqual(heads.toSorted((a, b) => a - b));
  expect(heads.at(-1)).toBe(40);
});
