import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { position } from '@allsource/shared/model';
import { FeedDecoder, type Frame } from '@allsource/shared/protocol';
import type { SystemEventDraft } from '../../src/append/append-port.ts';
import { CommitFeed } from '../../src/feed/commit-feed.ts';
import { SystemStretches } from '../../src/feed/system-stretches.ts';
import { MemoryLog } from '../support/memory-log.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const TENANT_CREATED: SystemEventDraft = {
  entity: 'tenant:acme',
  event: { type: '_system.tenant.created', payload: { id: 'acme', name: 'acme' } },
};

/** A log with commits of clients of some thousand events, and among them commits of system events. */
async function randomLog(random: SeededRandom, commits: number) {
  const log = new MemoryLog();
  const stretches = new SystemStretches();
  log.folds.push(stretches);
  const isSystemAt = random.next();
  for (let i = 0; i < commits; i++) await appendSome(log, random, isSystemAt);
  return { log, stretches };
}

// oxlint-disable-next-line eslint/max-params -- where, by chance, and how likely what is.
async function appendSome(log: MemoryLog, random: SeededRandom, systemShare: number) {
  if (random.chance(systemShare * 0.3))
    await log.appendSystem(
      '_system',
      Array.from(
        { length: 1 + random.below(random.chance(0.1) ? 9_000 : 3) },
        () => TENANT_CREATED,
      ),
    );
  else
    log.append(
      'acme',
      Array.from({ length: 1 + random.below(4_000) }, () => ({})),
    );
}

/** Follows the system events of a log from a position on, until the head that `isEnough` accepts. */
async function follow(
  feed: CommitFeed,
  from: number,
  isEnough: (head: number) => boolean,
): Promise<Frame[]> {
  const gone = new AbortController();
  const frames: Frame[] = [];
  const decoder = new FeedDecoder();
  const write = (bytes: Buffer) => {
    for (const message of decoder.push(bytes)) {
      if (message.kind === 'frame') frames.push(message.frame);
      else if (isEnough(message.head)) gone.abort();
    }
    return Promise.resolve(true);
  };
  await feed.send({ from: position(from), to: null, onlySystem: true }, { write }, gone.signal);
  return frames;
}

describe('a feed of system events', () => {
  it('has each of them once, whatever lies between, also those that come while it reads', async () => {
    const random = new SeededRandom(SEED);
    for (let round = 0; round < 25; round++) {
      const { log, stretches } = await randomLog(random, 30);
      const feed = new CommitFeed(log, { systemStretches: stretches, idleNoticeMs: 5 });
      const from = 1 + random.below(log.head + 1);
      let lateCommits = 10;
      log.beforeRead = async () => {
        if (lateCommits-- > 0) await appendSome(log, random, 0.5);
      };
      const frames = await follow(feed, from, (head) => head === log.head);
      const expected = log.frames.filter((frame) => frame.isSystem && frame.lastPosition >= from);
      expect(frames.map((frame) => frame.position)).toEqual(
        expected.map((frame) => frame.position),
      );
    }
  });

  it('reads only where some lie', async () => {
    const log = new MemoryLog();
    const stretches = new SystemStretches();
    log.folds.push(stretches);
    await log.appendSystem('_system', [TENANT_CREATED]);
    for (let i = 0; i < 2_000; i++)
      log.append(
        'acme',
        Array.from({ length: 100 }, () => ({})),
      );
    await log.appendSystem('_system', [TENANT_CREATED]);
    for (let i = 0; i < 2_000; i++)
      log.append(
        'acme',
        Array.from({ length: 100 }, () => ({})),
      );
    const feed = new CommitFeed(log, { systemStretches: stretches });
    const frames = await follow(feed, 1, (head) => head === log.head);
    expect(frames.length).toBe(2);
    // Two stretches of 4,096 positions, in frames of 100 events.
    expect(log.framesRead).toBeLessThan(100);
  });
});

it('the stretches of a checkpoint are those that were saved, and folding frames again adds none', async () => {
  const random = new SeededRandom(SEED + 1);
  const { log, stretches } = await randomLog(random, 200);
  const restored = new SystemStretches();
  const parts = stretches.save().map((part) => Buffer.from(part));
  for (const part of parts) restored.load(part);
  for (const frame of log.frames.slice(-100)) restored.apply(frame);
  expect(Buffer.concat(restored.save())).toEqual(Buffer.concat(parts));
  for (let at = 1; at <= log.head; at += 1_000)
    expect(restored.next(position(at))).toBe(stretches.next(position(at)));
  expect(new SystemStretches().save().length).toBe(1);
  expect(() => restored.load(Buffer.alloc(3))).toThrow('four bytes');
});
