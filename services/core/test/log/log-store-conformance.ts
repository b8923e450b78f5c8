import { describe, expect, it } from '@jest/globals';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { LogStore } from '../../src/storage/log-store.ts';
import { bytesOf, collect, SampleFrames } from './sample-frames.ts';
import { firstFrameOf, framesOf } from '../../src/storage/stretch.ts';

/** One log that stores can be opened on, one after the other. */
export interface LogWorld {
  /** A store of its own over the same log. */
  store(): LogStore;
  dispose(): Promise<void>;
}

async function appended(store: LogStore, frames: readonly Frame[]): Promise<void> {
  expect(await store.append(frames)).toEqual({ kind: 'appended' });
}

/** What every engine under core must do. Each case makes its own world. */
export function describeLogStore(name: string, makeWorld: () => LogWorld): void {
  async function inWorld(run: (world: LogWorld) => Promise<void>): Promise<void> {
    const world = makeWorld();
    try {
      await run(world);
    } finally {
      await world.dispose();
    }
  }

  describe(`a log store: ${name}`, () => {
    it('makes an empty log with a name of its own', () =>
      inWorld(async (world) => {
        const store = world.store();
        const head = await store.open();
        expect(head).toMatchObject({ position: 0, checksum: 0, partitionCount: 256 });
        expect(head.logId).toHaveLength(8);
        expect(await collect(store.read(position(1)))).toEqual([]);
        await store.close();
      }));

    it('gives back what was appended, byte for byte and in order', () =>
      inWorld(async (world) => {
        const store = world.store();
        const frames = new SampleFrames(await store.open()).take(100, { payloadBytes: 150 });
        await appended(store, frames.slice(0, 1));
        await appended(store, frames.slice(1, 60));
        await appended(store, frames.slice(60));
        expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
        await store.close();
      }));

    it('keeps the log, its head and its name over a reopening', () =>
      inWorld(async (world) => {
        const first = world.store();
        const before = await first.open();
        const frames = new SampleFrames(before).take(40, { events: 3 });
        await appended(first, frames);
        await first.close();

        const second = world.store();
        const seen: Frame[] = [];
        const head = await second.open({ onFrame: (frame) => seen.push(frame) });
        expect(head).toEqual({ ...before, position: 120, checksum: frames.at(-1)?.checksum });
        expect(bytesOf(seen)).toBe(bytesOf(frames));
        const more = new SampleFrames(head).take(5);
        await appended(second, more);
        expect(bytesOf(await collect(second.read(position(1))))).toBe(
          bytesOf([...frames, ...more]),
        );
        await second.close();
      }));

    it('replays behind any frame that it is told of, and reads what lies before it all the same', () =>
      inWorld(async (world) => {
        const first = world.store();
        const { logId } = await first.open();
        const head = { logId, position: position(0), checksum: 0 };
        const frames = new SampleFrames(head).take(30, { events: 3, payloadBytes: 400 });
        for (const frame of frames) await appended(first, [frame]);
        await first.close();
        for (const [i, frame] of frames.entries()) {
          const store = world.store();
          const seen: Frame[] = [];
          const after = { logId, position: frame.lastPosition, checksum: frame.checksum };
          const reopened = await store.open({ after, onFrame: (found) => seen.push(found) });
          expect(reopened).toMatchObject({ position: 90, checksum: frames.at(-1)?.checksum });
          expect(bytesOf(seen)).toBe(bytesOf(frames.slice(i + 1)));
          expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
          for (const at of [1, 2, 44, 89, 90])
            expect((await firstFrameOf(store.read(position(at))))?.position).toBe(
              Math.floor((at - 1) / 3) * 3 + 1,
            );
          await store.close();
        }
        const last = world.store();
        const after = { logId, position: position(90), checksum: frames.at(-1)?.checksum ?? 0 };
        const more = new SampleFrames(await last.open({ after })).take(3);
        await appended(last, more);
        expect(bytesOf(await collect(last.read(position(1))))).toBe(bytesOf([...frames, ...more]));
        await last.close();
      }));

    it('does not replay behind a frame that it does not hold, and opens without', () =>
      inWorld(async (world) => {
        const first = world.store();
        const { logId } = await first.open();
        const frames = new SampleFrames({ logId, position: position(0), checksum: 0 }).take(9, {
          events: 2,
          payloadBytes: 1000,
        });
        await appended(first, frames);
        await first.close();
        const { checksum } = frames[4] as Frame;
        const anchors = [
          { logId: Buffer.alloc(8, 1), position: position(10), checksum },
          { logId, position: position(10), checksum: checksum ^ 1 },
          { logId, position: position(9), checksum },
          { logId, position: position(11), checksum },
          { logId, position: position(18), checksum },
          { logId, position: position(19), checksum },
          { logId, position: position(1000), checksum },
        ];
        for (const after of anchors) {
          const store = world.store();
          await expect(store.open({ after })).rejects.toMatchObject({ name: 'MissingAnchor' });
          await store.close();
        }
        const again = world.store();
        expect((await again.open()).position).toBe(18);
        expect(bytesOf(await collect(again.read(position(1))))).toBe(bytesOf(frames));
        await again.close();
      }));

    it('is damaged where it ends before a frame that was durable', () =>
      inWorld(async (world) => {
        const first = world.store();
        const { logId } = await first.open();
        const frames = new SampleFrames({ logId, position: position(0), checksum: 0 }).take(3);
        await appended(first, frames);
        await first.close();
        const { checksum } = frames[2] as Frame;
        const lost = world.store();
        await expect(
          lost.open({ durable: { logId, position: position(5), checksum } }),
        ).rejects.toMatchObject({
          code: 'log_damaged',
          members: { first_position: 4, last_position: 5 },
        });
        await lost.close();
        const another = { logId: Buffer.alloc(8, 1), position: position(5), checksum };
        for (const durable of [another, { logId, position: position(3), checksum }]) {
          const whole = world.store();
          expect((await whole.open({ durable })).position).toBe(3);
          await whole.close();
        }
      }));

    it('refuses frames that do not follow the head and stays as it was', () =>
      inWorld(async (world) => {
        const store = world.store();
        const start = await store.open();
        const frames = new SampleFrames(start).take(3);
        await appended(store, frames.slice(0, 1));
        const moved = { kind: 'head_moved', head: 1 };
        expect(await store.append(frames.slice(0, 1))).toEqual(moved);
        expect(await store.append(frames.slice(2))).toEqual(moved);
        const otherHistory = new SampleFrames(start).take(2, { payloadBytes: 99 }).slice(1);
        expect(await store.append(otherHistory)).toEqual(moved);
        await appended(store, frames.slice(1));
        expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
        await store.close();
      }));

    it('fences the former writer: what it appends after another open is never acknowledged', () =>
      inWorld(async (world) => {
        const former = world.store();
        const frames = new SampleFrames(await former.open()).take(3);
        await appended(former, frames.slice(0, 1));
        const latter = world.store();
        expect((await latter.open()).position).toBe(1);
        const refused = await former.append(frames.slice(1, 2));
        expect(['head_moved', 'failed']).toContain(refused.kind);
        await appended(latter, frames.slice(1));
        expect((await former.append(frames.slice(1))).kind).not.toBe('appended');
        expect(bytesOf(await collect(latter.read(position(1))))).toBe(bytesOf(frames));
        await former.close();
        await latter.close();
        const third = world.store();
        expect((await third.open()).position).toBe(3);
        await third.close();
      }));

    it('reads from the frame that holds a position, also from its middle', () =>
      inWorld(async (world) => {
        const store = world.store();
        const frames = new SampleFrames(await store.open()).take(60, { events: 7 });
        await appended(store, frames);
        for (let from = 1; from <= 420; from++) {
          const first = await firstFrameOf(store.read(position(from)));
          expect(first?.position).toBe(Math.floor((from - 1) / 7) * 7 + 1);
        }
        expect(await collect(store.read(position(421)))).toEqual([]);
        expect(bytesOf(await collect(store.read(position(200))))).toBe(bytesOf(frames.slice(28)));
        await store.close();
      }));

    it('takes frames from the smallest to several megabytes in one append', () =>
      inWorld(async (world) => {
        const store = world.store();
        const sizes = [10, 70_000, 12, 1_500_000, 300_000, 10, 4_000_000, 10];
        const maker = new SampleFrames(await store.open());
        const frames = sizes.map((payloadBytes) => maker.next({ payloadBytes }));
        await appended(store, frames.slice(0, 5));
        await appended(store, frames.slice(5));
        expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
        for (const frame of frames) {
          const read = await firstFrameOf(store.read(frame.position));
          expect(read?.bytes.equals(frame.bytes)).toBe(true);
        }
        await store.close();
        const second = world.store();
        expect((await second.open()).position).toBe(sizes.length);
        await second.close();
      }));

    it('ends a read at the head of the moment of the call', () =>
      inWorld(async (world) => {
        const store = world.store();
        const frames = new SampleFrames(await store.open()).take(30);
        await appended(store, frames.slice(0, 10));
        const early = store.read(position(1));
        await appended(store, frames.slice(10));
        expect(await collect(early)).toHaveLength(10);
        expect(await collect(store.read(position(1)))).toHaveLength(30);
        await store.close();
      }));

    it('serves readers while it appends: each sees a prefix without a gap', () =>
      inWorld(async (world) => {
        const store = world.store();
        const maker = new SampleFrames(await store.open());
        const end = 600;
        const reader = async (from: Position): Promise<number> => {
          let next = from;
          while (next <= end) {
            for await (const frame of framesOf(store.read(next))) {
              expect(frame.position).toBe(next);
              next = position(frame.lastPosition + 1);
            }
            await new Promise((resolve) => setImmediate(resolve));
          }
          return next;
        };
        const readers = [reader(position(1)), reader(position(1)), reader(position(1))];
        for (let i = 0; i < 120; i++) await appended(store, maker.take(5, { payloadBytes: 200 }));
        expect(await Promise.all(readers)).toEqual([601, 601, 601]);
        await store.close();
      }));

    it('can be closed twice, unopened too', () =>
      inWorld(async (world) => {
        const store = world.store();
        await store.open();
        await store.close();
        await expect(store.close()).resolves.toBeUndefined();
        await expect(world.store().close()).resolves.toBeUndefined();
      }));
  });
}
