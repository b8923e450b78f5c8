import { describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { LogTail } from '../../src/read/log-tail.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** Reads frames until `last` and returns the positions of their events. */
async function positionsUntil(tail: LogTail, last: number): Promise<number[]> {
  const positions: number[] = [];
  while (tail.position < last) {
    const frame = await tail.next();
    if (frame === null) break;
    for (const event of frame.events()) positions.push(event.position);
  }
  return positions;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** Appends commits of 1 to 5 events, each after a turn of the event loop, until the log holds `count` events. */
async function appendSlowly(log: MemoryLog, count: number): Promise<void> {
  for (let i = 0; log.head < count; i++) {
    const size = Math.min(1 + (i % 5), count - log.head);
    log.append(
      'acme',
      Array.from({ length: size }, () => ({ payload: `{"i":${i}}` })),
    );
    if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a tail of the log', () => {
  it('hands out history and what comes, each event once and in order, while events are appended', async () => {
    const log = new MemoryLog();
    await appendSlowly(log, 2_000);
    const tail = new LogTail({ log, from: position(1) });
    const [seen] = await Promise.all([positionsUntil(tail, 6_000), appendSlowly(log, 6_000)]);
    expect(seen).toEqual(upTo(6_000));
    await tail.close();
  });

  it('reads from the log again when its queue overflows, and keeps no more than its limit', async () => {
    const log = new MemoryLog();
    const tail = new LogTail({ log, from: position(1), queueBytesMax: 1_000 });
    for (let i = 0; i < 500; i++) log.append('acme', [{}, {}]);
    expect(await positionsUntil(tail, 1_000)).toEqual(upTo(1_000));
    expect(log.framesRead).toBeGreaterThan(400);
    await tail.close();
  });

  it('loses and repeats nothing when what is at hand is taken without waiting, also while history is read', async () => {
    const log = new MemoryLog();
    const { length: frameBytes } = log.append('acme', [{}]).bytes;
    // The queue overflows and holds the last frames, which history reaches too.
    const tail = new LogTail({ log, from: position(1), queueBytesMax: frameBytes * 3 });
    for (let i = 0; i < 5; i++) log.append('acme', [{}]);
    const seen: number[] = [];
    for (let round = 0; round < 4; round++) {
      while (tail.position < log.head)
        for (let frame = await tail.next(); frame !== null; frame = tail.nextAtHand())
          seen.push(frame.position);
      for (let i = 0; i < round * 4; i++) log.append('acme', [{}]);
    }
    expect(seen).toEqual(upTo(tail.position));
    await tail.close();
  });

  it('takes what comes without reading the log when the reader keeps pace', async () => {
    const log = new MemoryLog();
    const tail = new LogTail({ log, from: position(1) });
    for (let i = 1; i <= 50; i++) {
      const next = tail.next();
      log.append('acme', [{}]);
      expect((await next)?.position).toBe(i);
    }
    expect(log.reads).toBe(0);
    await tail.close();
  });

  it('begins with the frame that holds the position asked for', async () => {
    const log = new MemoryLog();
    log.append('acme', [{}, {}, {}]);
    log.append('acme', [{}]);
    const tail = new LogTail({ log, from: position(2) });
    expect((await tail.next())?.position).toBe(1);
    expect((await tail.next())?.position).toBe(4);
    await tail.close();
  });

  it('gives null after the time to wait, and begins at a position that does not exist yet', async () => {
    const log = new MemoryLog();
    log.append('acme', [{}]);
    const tail = new LogTail({ log, from: position(4) });
    expect(await tail.next(5)).toBeNull();
    const waiting = tail.next();
    log.append('acme', [{}]);
    log.append('acme', [{}]);
    log.append('acme', [{}]);
    expect((await waiting)?.position).toBe(4);
    await tail.close();
  });

  it('ends a waiting reader when it is closed, and listens no longer', async () => {
    const log = new MemoryLog();
    const tail = new LogTail({ log, from: position(1) });
    const waiting = tail.next();
    await tail.close();
    expect(await waiting).toBeNull();
    expect(await tail.next()).toBeNull();
    expect(log.listenerCount).toBe(0);
    await tail.close();
  });

  it('passes on that the log cannot be read', async () => {
    const log = new MemoryLog();
    log.append('acme', [{}]);
    log.readFault = new RangeError('damaged');
    const tail = new LogTail({ log, from: position(1) });
    await expect(tail.next()).rejects.toThrow('damaged');
    await tail.close();
  });
});
