import { describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { FrameReader } from '../../src/read/frame-reader.ts';
import { MemoryLog } from '../support/memory-log.ts';

describe('a reader of frames', () => {
  it('finds the event at every position, whatever it has kept', async () => {
    const log = new MemoryLog();
    for (let i = 0; i < 100; i++)
      log.append(
        'acme',
        Array.from({ length: 1 + (i % 4) }, () => ({})),
      );
    const { bytes } = log.append('acme', [{}]);
    const frames = new FrameReader(log, bytes.length * 5);
    for (let i = 0; i < 1_000; i++) {
      const at = ((i * 37) % log.head) + 1;
      expect((await frames.eventAt(position(at))).position).toBe(at);
    }
  });

  it('reads a frame that it keeps only once, and forgets the one used longest ago', async () => {
    const log = new MemoryLog();
    const { bytes } = log.append('acme', [{}, {}]);
    log.append('acme', [{}, {}]);
    log.append('acme', [{}, {}]);
    const frames = new FrameReader(log, bytes.length * 2);
    const readsOf = async (at: number): Promise<number> => {
      const before = log.reads;
      await frames.eventAt(position(at));
      return log.reads - before;
    };
    expect(await readsOf(1)).toBe(1);
    expect(await readsOf(2)).toBe(0);
    expect(await readsOf(3)).toBe(1);
    expect(await readsOf(1)).toBe(0);
    expect(await readsOf(5)).toBe(1);
    expect(await readsOf(2)).toBe(0);
    expect(await readsOf(4)).toBe(1);
  });
});
