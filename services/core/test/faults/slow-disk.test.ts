/**
 * R9: a disk on which each sync takes half a second, and a process without a free file handle. What waits is bounded, more is refused with 503 and the advice to come again, the event loop
 * goes on, and when the trouble is over all is as before.
 */
import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import { diskError, FakeClock, report, SimulatedDisk } from '@allsource/testkit';
import { Journal } from '../../src/append/journal.ts';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { collect, SAMPLE_LOG_ID } from '../log/sample-frames.ts';
import { PAGE_BYTES } from './sample-writer.ts';

const SYNC_MS = 500;
const PAYLOAD = Buffer.from(`{"x":"${'x'.repeat(1024 * 1024 - 8)}"}`);

async function journalOn(disk: SimulatedDisk, clock: FakeClock, segmentBytes: number) {
  const store = new FileLogStore({
    disk,
    segmentBytes,
    partitionCount: 256,
    makeLogId: () => SAMPLE_LOG_ID,
    clock,
    nowMs: clock.nowMs,
  });
  return Journal.open({ store, clock, random: () => 7, folds: [] });
}

async function codeOfAppend(journal: Journal, payload: Buffer): Promise<string> {
  try {
    const event = { type: 'order.placed', entity: 'order-1', payload, metadata: null };
    const outcome = await journal.append({
      tenant: 'acme',
      events: [{ ...event, timestamp: null, expectedVersion: null }],
      idempotency: null,
    });
    return outcome.kind;
  } catch (thrown) {
    const { code, status, retryable } = thrown as Problem;
    return `${code} ${status} ${retryable}`;
  }
}

function countOf(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

describe('R9: a slow disk', () => {
  it('is met with a bounded queue and 503, and all goes on when it is quick again', async () => {
    const clock = new FakeClock();
    const disk = new SimulatedDisk();
    const journal = await journalOn(disk, clock, 16 * 1024 * 1024);
    disk.onCall = (call) =>
      call === 'datasync' ? { kind: 'stalled', wait: () => clock.sleep(SYNC_MS) } : undefined;
    const wanted = 2 * (LIMITS.appendQueueBytesMax / PAYLOAD.length);
    const answers = Array.from({ length: wanted }, () => codeOfAppend(journal, PAYLOAD));
    let turns = 0;
    const all = Promise.all(answers);
    const progress = { isOver: false };
    const over = all.then(() => {
      progress.isOver = true;
      return null;
    });
    while (!progress.isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
      turns += 1;
    }
    await over;
    const counts = countOf(await all);
    expect(Object.keys(counts).sort()).toEqual(['appended', 'overloaded 503 true']);
    const appendedBytes = (counts['appended'] ?? 0) * PAYLOAD.length;
    expect(appendedBytes).toBeLessThan(LIMITS.appendQueueBytesMax + 4 * PAYLOAD.length);
    expect(appendedBytes).toBeGreaterThan(LIMITS.appendQueueBytesMax / 2);
    disk.onCall = () => undefined;
    expect(await codeOfAppend(journal, PAYLOAD)).toBe('appended');
    expect(journal.head).toBe((counts['appended'] ?? 0) + 1);
    await journal.close();
    report('R9 slow disk', { ...counts, 'turns of the event loop meanwhile': turns });
  });

  it('is met with 503 while there is no file handle; nothing is stored, and then all goes on', async () => {
    const clock = new FakeClock();
    const disk = new SimulatedDisk();
    const journal = await journalOn(disk, clock, 2 * PAGE_BYTES);
    disk.onCall = (call, name) => {
      if (call === 'create' || call === 'open') throw diskError('EMFILE', name);
    };
    const answers: string[] = [];
    for (let i = 0; i < 40; i++)
      answers.push(await codeOfAppend(journal, PAYLOAD.subarray(0, 900)));
    const counts = countOf(answers);
    expect(Object.keys(counts).sort()).toEqual(['appended', 'overloaded 503 true']);
    expect(journal.head).toBe(counts['appended']);
    expect(journal.poison).toBeNull();
    disk.onCall = () => undefined;
    for (let i = 0; i < 40; i++)
      expect(await codeOfAppend(journal, PAYLOAD.subarray(0, 900))).toBe('appended');
    expect(await collect(journal.read(position(1)))).toHaveLength((counts['appended'] ?? 0) + 40);
    await journal.close();
    report('R9 no file handles', counts);
  });
});
