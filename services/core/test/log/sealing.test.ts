import { describe, expect, it } from '@jest/globals';
import { type Frame, positionedEventJson } from '@allsource/shared/protocol';
import { position } from '@allsource/shared/model';
import {
  CHANGING_CALLS,
  type DiskCall,
  diskError,
  isLong,
  SeededRandom,
  SimulatedDisk,
} from '@allsource/testkit';
import { BlockCache } from '../../src/log/block-cache.ts';
import { InProcessSealer } from '../../src/log/in-process-sealer.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { SealedFile } from '../../src/log/sealed-file.ts';
import { WorkerSealer } from '../../src/log/worker-sealer.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { bytesOf, collect, SampleFrames } from './sample-frames.ts';
import {
  crashesAtEachCall,
  framesBehind,
  kinds,
  openedStore,
  rawLog,
  sealingStore,
  settled,
} from './sealing-world.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { framesOf } from '../../src/storage/stretch.ts';

const ALL = position(1);
/** The short run flips a bit of every byte outside of the blocks of events, and of every so many of those. */
const FLIP_EVERY = isLong ? 1 : 4;
const EDGE_BYTES = 600;

describe('a sealed segment', () => {
  it('takes the place of the raw one and changes no byte of any read', async () => {
    const disk = new SimulatedDisk();
    const notices: LogNotice[] = [];
    const store = sealingStore(disk, { notices });
    const maker = new SampleFrames(await store.open());
    const frames: Frame[] = [];
    for (let i = 0; i < 150; i++) {
      const group = maker.take(3, { events: 4, payloadBytes: 200 });
      expect((await store.append(group)).kind).toBe('appended');
      frames.push(...group);
      // The store seals between the appends.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settled(store);
    const sealed = disk.fileNames('.sealed').length;
    expect(sealed).toBeGreaterThan(5);
    expect(disk.fileNames('.seg')).toHaveLength(1);
    expect(store.sealing).toMatchObject({ segments: sealed, failures: 0, waiting: 0 });
    expect(new Set(kinds(notices))).toEqual(new Set(['segment_sealed']));
    expect(store.storageBytes).toBe(
      [...disk.fileNames('.sealed'), ...disk.fileNames('.seg')].reduce(
        (sum, name) => sum + disk.bytes(name).length,
        0,
      ),
    );
    expect(bytesOf(await collect(store.read(ALL)))).toBe(bytesOf(frames));
    expect(bytesOf(await collect(store.read(position(801))))).toBe(bytesOf(frames.slice(200)));
    await store.close();
    const again = await openedStore(disk);
    expect(bytesOf(again.frames)).toBe(bytesOf(frames));
    await again.store.close();
  });

  it('gives each event alone as its frame does', async () => {
    const { disk, frames } = await rawLog(3);
    const { store } = await openedStore(disk);
    await settled(store);
    let alone = 0;
    for (const frame of frames) {
      for (const event of frame.events()) {
        const single = await store.readEvent(event.position);
        if (single === null) continue;
        alone += 1;
        expect(positionedEventJson(single)).toBe(positionedEventJson(event));
        expect(single.previousPosition).toBe(event.previousPosition);
        expect(single.frame.isSystem).toBe(event.frame.isSystem);
      }
    }
    expect(alone).toBeGreaterThan(300);
    await store.close();
  });

  it('is read on by readers that began before it took the place', async () => {
    const { disk, frames } = await rawLog(4);
    const { store } = await openedStore(disk);
    const readers = [1, 1, 50, 200].map((from) => store.read(position(from)));
    const iterators = readers.map((reader) => reader[Symbol.asyncIterator]());
    for (const iterator of iterators) await iterator.next();
    await settled(store);
    expect(disk.fileNames('.seg')).toHaveLength(1);
    for (const iterator of iterators) {
      let last = 0;
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next())
        last = step.value.at(-1)?.lastPosition ?? 0;
      expect(last).toBe(frames.at(-1)?.lastPosition);
    }
    await store.close();
  });

  it('is made in a thread of its own, and a close gives up the one in the making', async () => {
    const folder = temporaryFolder();
    try {
      const disk = new NodeDisk(folder.path);
      const sealer = new WorkerSealer({ folder: folder.path, bytesPerSecond: 1e9 });
      const store = sealingStore(disk, { sealer });
      const maker = new SampleFrames(await store.open());
      const frames = maker.take(1500, { payloadBytes: 300 });
      for (let i = 0; i < frames.length; i += 50)
        expect((await store.append(frames.slice(i, i + 50))).kind).toBe('appended');
      await settled(store);
      expect(store.sealing?.segments).toBeGreaterThan(5);
      expect(bytesOf(await collect(store.read(ALL)))).toBe(bytesOf(frames));
      const more = maker.take(1500, { payloadBytes: 300 });
      expect((await store.append(more)).kind).toBe('appended');
      await store.close();
      const again = await openedStore(disk, { sealer: null });
      expect(bytesOf(again.frames)).toBe(bytesOf([...frames, ...more]));
      expect((await disk.list('')).filter((name) => name.startsWith('sealing-'))).toEqual([]);
      await again.store.close();
    } finally {
      folder.remove();
    }
  });
});

describe('a crash while segments are sealed', () => {
  it('at any call of the disk leaves every frame', async () => {
    const { disk: start, frames } = await rawLog(2);
    const random = new SeededRandom(7);
    const counts = { calls: 0, disks: 0, drafts: 0, both: 0 };
    const crashes = crashesAtEachCall(start, random, async (disk, hasCrashed) => {
      const { store } = await openedStore(disk);
      await settled(store, hasCrashed);
      await store.close();
    });
    for await (const disks of crashes) {
      counts.calls += 1;
      for (const one of disks) {
        counts.disks += 1;
        if (one.fileNames('.tmp').some((name) => name.startsWith('sealing-'))) counts.drafts += 1;
        if (one.fileNames('.seg').some((name) => one.names.has(name.replace('.seg', '.sealed'))))
          counts.both += 1;
        const after = await openedStore(one);
        expect(bytesOf(after.frames) === bytesOf(frames)).toBe(true);
        await settled(after.store);
        expect(bytesOf(await collect(after.store.read(ALL))) === bytesOf(frames)).toBe(true);
        expect(one.fileNames('.sealed')).toHaveLength(2);
        expect(one.fileNames('.seg')).toHaveLength(1);
        await after.store.close();
      }
    }
    console.log(`crashes while sealing, seed 7: ${JSON.stringify(counts)}`);
    expect(counts.calls).toBeGreaterThan(20);
    expect(Math.min(counts.drafts, counts.both)).toBeGreaterThan(0);
  });
});

describe('an error of the disk while segments are sealed', () => {
  it.each(['ENOSPC', 'EIO'])('%s at any call loses nothing and stops no append', async (code) => {
    const { disk: start, frames } = await rawLog(2);
    const counts = { cases: 0, retried: 0, stopped: 0 };
    for (const call of CHANGING_CALLS) {
      for (let nth = 1; ; nth++) {
        const disk = start.afterKill();
        const notices: LogNotice[] = [];
        const { store } = await openedStore(disk, { notices });
        const hasHappened = failCall(disk, { call, nth, code });
        await settled(store, () => kinds(notices).includes('sealing_stopped'));
        if (!hasHappened()) {
          await store.close();
          break;
        }
        counts.cases += 1;
        if (kinds(notices).includes('sealing_failed')) counts.retried += 1;
        if (kinds(notices).includes('sealing_stopped')) counts.stopped += 1;
        expect(store.sealing?.failures).toBe(1);
        const more = framesBehind(frames).take(3);
        expect((await store.append(more)).kind).toBe('appended');
        const all = bytesOf([...frames, ...more]);
        expect(bytesOf(await collect(store.read(ALL))) === all).toBe(true);
        await store.close();
        const again = await openedStore(disk.afterKill());
        expect(bytesOf(again.frames) === all).toBe(true);
        await again.store.close();
      }
    }
    console.log(`${code} while sealing: ${JSON.stringify(counts)}`);
    expect(counts.cases).toBe(counts.retried + counts.stopped);
    expect(Math.min(counts.retried, counts.stopped)).toBeGreaterThan(0);
  });

  it('is not waited for with the space that appends may need', async () => {
    const { disk } = await rawLog(2);
    const notices: LogNotice[] = [];
    let freeBytes = 1000;
    const small = Object.assign(disk, { freeBytes: async () => freeBytes });
    const { store } = await openedStore(small, { notices });
    await store.sealed();
    expect(notices[0]).toMatchObject({ kind: 'sealing_failed', cause: { code: 'ENOSPC' } });
    expect(disk.fileNames('.sealed')).toEqual([]);
    freeBytes = 1e9;
    await settled(store);
    expect(disk.fileNames('.sealed')).toHaveLength(2);
    await store.close();
  });

  it('that has poisoned the writer stops sealing: nothing is unlinked on the word of that disk', async () => {
    const { disk, frames } = await rawLog(2);
    const notices: LogNotice[] = [];
    const { store } = await openedStore(disk, { notices });
    disk.onCall = (call, name) => {
      if (call === 'datasync' && name.endsWith('.seg')) throw diskError('EIO', name);
    };
    const more = framesBehind(frames).take(1);
    expect((await store.append(more)).kind).toBe('failed');
    await store.sealed();
    expect(disk.fileNames('.seg')).toHaveLength(3);
    expect(bytesOf(await collect(store.read(ALL)))).toBe(bytesOf(frames));
    await store.close();
  });
});

function failCall(
  disk: SimulatedDisk,
  fault: { readonly call: DiskCall; readonly nth: number; readonly code: string },
): () => boolean {
  let seen = 0;
  disk.onCall = (call, name) => {
    if (call === fault.call && ++seen === fault.nth) throw diskError(fault.code, name);
  };
  return () => seen >= fault.nth;
}

async function sealedLog(fullSegments: number) {
  const { disk, frames } = await rawLog(fullSegments);
  const { store } = await openedStore(disk);
  await settled(store);
  await store.close();
  return { disk, frames, names: disk.fileNames('.sealed') };
}

describe('damage of a sealed segment', () => {
  it('by any one bit is found, and no byte of it is served', async () => {
    const { disk, names } = await sealedLog(1);
    const name = names[0] as string;
    const bytes = disk.bytes(name);
    let flips = 0;
    const random = new SeededRandom(11);
    const bits = isLong ? [0, 1, 2, 3, 4, 5, 6, 7] : [null];
    for (let at = 0; at < bytes.length * bits.length; at++) {
      const mask = 1 << (bits[at % bits.length] ?? random.below(8));
      const place = Math.floor(at / bits.length);
      const isEdge = Math.min(place, bytes.length - 1 - place) < EDGE_BYTES;
      if (!isEdge && place % FLIP_EVERY !== 0) continue;
      bytes.writeUInt8(bytes.readUInt8(place) ^ mask, place);
      await expect(readAll(disk, name)).rejects.toMatchObject({ code: 'log_damaged' });
      bytes.writeUInt8(bytes.readUInt8(place) ^ mask, place);
      flips += 1;
    }
    await readAll(disk, name);
    console.log(`${flips} of ${flips} flipped bits of a sealed segment found, seed 11`);
  });

  it('by a cut or a longer file is found', async () => {
    const { disk, names } = await sealedLog(1);
    const name = names[0] as string;
    const whole = disk.bytes(name).length;
    for (const length of [whole - 1, whole - 100, 192, 191, 0]) {
      const other = disk.afterKill();
      other.cut(name, length);
      await expect(readAll(other, name)).rejects.toMatchObject({ code: 'log_damaged' });
    }
  });

  it('names its bytes and positions, and the rest of the log is read', async () => {
    const { disk, frames, names } = await sealedLog(3);
    const name = names[1] as string;
    const { store } = await openedStore(disk);
    const [first, second, third] = names.map((one) => position(Number.parseInt(one, 10)));
    disk.bytes(name).writeUInt8(disk.bytes(name).readUInt8(400) ^ 16, 400);
    const seen: Frame[] = [];
    const reading = (async () => {
      for await (const frame of framesOf(store.read(first as never))) seen.push(frame);
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'log_damaged',
      members: { segment: name, offset: 192, first_position: second },
    });
    expect(seen.at(-1)?.lastPosition).toBe((second as number) - 1);
    await expect(store.readEvent(second as never)).rejects.toMatchObject({ code: 'log_damaged' });
    const behind = await collect(store.read(third as never));
    expect(behind[0]?.position).toBe(third);
    expect(behind.at(-1)?.lastPosition).toBe(frames.at(-1)?.lastPosition);
    await store.close();
  });

  it('of a raw one keeps it from being sealed, and is named by the bytes and positions of its frame', async () => {
    const { disk, frames: made } = await rawLog(2);
    let at = 4096;
    const frames = made.map(({ bytes, position: first, lastPosition: last }) => {
      at += bytes.length;
      return { offset: at - bytes.length, end: at, first, last };
    });
    const notices: LogNotice[] = [];
    const { store } = await openedStore(disk, { notices, sealer: null });
    await store.close();
    const name = disk.fileNames('.seg')[0] as string;
    const hit = frames.find(({ offset, end }) => offset <= 9000 && 9000 < end);
    disk.bytes(name).writeUInt8(disk.bytes(name).readUInt8(9000) ^ 1, 9000);
    const draft = new InProcessSealer(disk).seal({
      rawName: name,
      draftName: 'sealing-9-1.tmp',
      next: {
        firstPosition: Number.parseInt(disk.fileNames('.seg')[1] as string, 10),
        previousChecksum: 0,
      },
      previousDigest: Buffer.alloc(32),
    });
    await expect(draft).rejects.toMatchObject({
      code: 'log_damaged',
      members: {
        segment: name,
        offset: hit?.offset,
        end_offset: hit?.end,
        first_position: hit?.first,
        last_position: hit?.last,
      },
    });
  });

  it('and a missing last segment are not taken for the end of the log', async () => {
    const { disk } = await sealedLog(2);
    await disk.unlink(disk.fileNames('.seg')[0] as string);
    await disk.unlink('head');
    await expect(openedStore(disk)).rejects.toMatchObject({ code: 'log_damaged' });
  });

  it('and a sealed segment of another history are refused', async () => {
    const { disk, names } = await sealedLog(3);
    await disk.unlink(names[1] as string);
    await expect(openedStore(disk)).rejects.toMatchObject({ code: 'log_damaged' });
  });
});

async function readAll(disk: SimulatedDisk, name: string): Promise<void> {
  const file = await SealedFile.open(disk, name, new BlockCache(0));
  const { framesEnd } = file.header;
  await file.read(Buffer.alloc(framesEnd), 4096);
}
