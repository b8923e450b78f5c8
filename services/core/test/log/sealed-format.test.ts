import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { crc32, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import {
  micros,
  partitionOf,
  POSITION_ZERO,
  position,
  version,
  writeEventId,
} from '@allsource/shared/model';
import { encodeFrame, type FrameEventInput } from '@allsource/shared/protocol';
import { eventLog, type EventLogName, type LoggedEvent, SeededRandom } from '@allsource/testkit';
import { BlockCache } from '../../src/log/block-cache.ts';
import { FrameWalk } from '../../src/log/frame-walk.ts';
import { decompressedTogether, type StoredBlock } from '../../src/log/sealed-blocks.ts';
import { SealedFile } from '../../src/log/sealed-file.ts';
import {
  decodeSealedHeader,
  encodeSealedHeader,
  rawNameOf,
  type SealedHeader,
  sealedName,
  sealedNameOf,
} from '../../src/log/sealed-format.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';
import { sealingStore, settled } from './sealing-world.ts';
import { temporaryFolder } from './temporary-folder.ts';

const HEADER: SealedHeader = {
  segment: {
    logId: SAMPLE_LOG_ID,
    partitionCount: 256,
    previousChecksum: 0x12345678,
    firstPosition: position(1_234_567),
    createdAt: micros(1_700_000_000_000_000),
  },
  lastPosition: position(1_434_566),
  lastChecksum: 0x9abcdef0,
  framesEnd: 4096 + 3 * 16_384,
  blockCount: 3,
  markCount: 6,
  indexOffset: 30_000,
  indexChecksum: 0x0badcafe,
  fileBytes: 30_096,
  previousDigest: Buffer.alloc(32, 0x11),
  digest: Buffer.alloc(32, 0x22),
};

/** These bytes are on the disks of users. When one of these fails, give the format another version; never change the hash or the file. */
describe('the bytes of a sealed segment', () => {
  it('have the header of format ASZ1', () => {
    const bytes = encodeSealedHeader(HEADER);
    expect(bytes.length).toBe(192);
    expect(bytes.subarray(0, 4).toString('latin1')).toBe('ASZ1');
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '79e12c09339eabd47ef94d4f87d9b13a7d33dd677bed8ca55b612d7bb3fe841d',
    );
    expect(decodeSealedHeader(bytes)).toEqual({ kind: 'header', header: HEADER });
    for (const length of [0, 1, 191])
      expect(decodeSealedHeader(bytes.subarray(0, length)).kind).toBe('damaged');
  });

  // Another version of zstd may compress to other bytes, so what is pinned is a file that must stay readable.
  it('of a file that was sealed once are read for ever', async () => {
    const folder = temporaryFolder();
    const text = readFileSync(join(import.meta.dirname, 'fixtures/segment.sealed.base64'), 'utf8');
    const bytes = Buffer.from(text, 'base64');
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '98f4e9c9d4c787d668697a66446f7a2897b0bad51153a78e3a256a40829c2018',
    );
    const name = sealedName(position(1));
    writeFileSync(join(folder.path, name), bytes);
    const file = await SealedFile.open(new NodeDisk(folder.path), name, new BlockCache(0));
    const { framesEnd, digest, previousDigest, lastPosition } = file.header;
    const raw = Buffer.alloc(framesEnd - 4096);
    expect(await file.read(raw, 4096)).toBe(raw.length);
    const head = { logId: SAMPLE_LOG_ID, position: POSITION_ZERO, checksum: 0 };
    const frames = new SampleFrames(head).take(29, { events: 3, payloadBytes: 400 });
    expect(raw.toString('base64')).toBe(bytesOf(frames));
    expect(lastPosition).toBe(87);
    expect(createHash('sha256').update(previousDigest).update(raw).digest()).toEqual(digest);
    await file.close();
    folder.remove();
  });

  it('lie in a file with the name of the raw one and another end', () => {
    expect(sealedName(position(42))).toBe('00000000000000000042.sealed');
    expect(rawNameOf('00000000000000000042.sealed')).toBe('00000000000000000042.seg');
    expect(sealedNameOf('00000000000000000042.seg')).toBe('00000000000000000042.sealed');
  });

  it('are reached from a mark at or before each position, and chain on from there', async () => {
    const folder = temporaryFolder();
    const disk = new NodeDisk(folder.path);
    const store = sealingStore(disk, { segmentBytes: 1024 * 1024 });
    const maker = new SampleFrames(await store.open());
    const frames = maker.take(4000, { events: 2, payloadBytes: 300 });
    for (let i = 0; i < frames.length; i += 100) await store.append(frames.slice(i, i + 100));
    await settled(store);
    const file = await SealedFile.open(disk, sealedName(position(1)), new BlockCache(1e5));
    for (let at = 1; at < file.header.lastPosition; at += 97) {
      const { start, next } = file.find(position(at));
      expect(start.position).toBeLessThanOrEqual(at);
      expect(next?.position ?? Number.POSITIVE_INFINITY).toBeGreaterThan(at);
      const walk = new FrameWalk({
        source: file,
        logId: SAMPLE_LOG_ID,
        start,
        end: file.header.framesEnd,
      });
      walk.fillNow(64 * 1024);
      expect(walk.step()).toMatchObject({ kind: 'frame', frame: { position: start.position } });
    }
    await file.close();
    await store.close();
    folder.remove();
  });
});

describe('a sealed segment, read in long pieces', () => {
  it('gives the bytes of the raw one from anywhere, whether its blocks are compressed or not', async () => {
    const folder = temporaryFolder();
    const disk = new NodeDisk(folder.path);
    const store = sealingStore(disk, { segmentBytes: 1024 * 1024 });
    const maker = new SampleFrames(await store.open());
    const random = new SeededRandom(11);
    const frames = Array.from({ length: 400 }, () =>
      // Bytes that do not compress, over several blocks, now and then.
      random.below(8) === 0
        ? maker.next({ payload: randomBytes(1 + random.below(60_000)) })
        : maker.next({ events: 1 + random.below(20), payloadBytes: 400 }),
    );
    for (const frame of frames) expect((await store.append([frame])).kind).toBe('appended');
    await settled(store);
    const name = sealedName(position(1));
    const file = await SealedFile.open(disk, name, new BlockCache(0));
    const { framesEnd } = file.header;
    const raw = Buffer.concat(frames.map(({ bytes }) => bytes)).subarray(0, framesEnd - 4096);
    for (let read = 0; read < 500; read++) {
      const offset = 4096 + random.below(framesEnd - 4096);
      const target = Buffer.alloc(1 + random.below(300_000), 0xee);
      const length = await file.read(target, offset);
      expect(length).toBe(Math.min(target.length, framesEnd - offset));
      const expected = raw.subarray(offset - 4096, offset - 4096 + length);
      expect(target.subarray(0, length).equals(expected)).toBe(true);
      expect(target.subarray(length).every((byte) => byte === 0xee)).toBe(true);
    }
    await file.close();
    const share = statSync(join(folder.path, name)).size / (framesEnd - 4096);
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.95);
    await store.close();
    folder.remove();
  });
});

describe('blocks of a sealed segment', () => {
  it('are decompressed together when each of them is whole, and by themselves when one is not', () => {
    const raws = Array.from({ length: 5 }, (_, i) => Buffer.alloc(i < 4 ? 16_384 : 900, `${i}ab`));
    const compressed = raws.map((raw) => zstdCompressSync(raw));
    const memory = Buffer.concat([Buffer.from('before'), ...compressed]);
    let offset = 'before'.length;
    const blocks = compressed.map((bytes, i): StoredBlock => {
      const stored = memory.subarray(offset, offset + bytes.length);
      offset += bytes.length;
      const rawBytes = raws[i]?.length ?? 0;
      return {
        place: { offset: 0, bytes: bytes.length, checksum: crc32(bytes), rawBytes },
        stored,
      };
    });
    expect(decompressedTogether(blocks)?.equals(Buffer.concat(raws))).toBe(true);
    expect(decompressedTogether(blocks.slice(0, 2))?.length).toBe(2 * 16_384);
    expect(decompressedTogether(blocks.slice(0, 1))).toBeNull();
    memory.writeUInt8(memory.readUInt8(40) ^ 1, 40);
    expect(decompressedTogether(blocks)).toBeNull();
  });
});

/** Enough for several segments, and few enough for a test. */
const EVENTS_MAX = 25_000;
const DATA_FOLDER = resolve(import.meta.dirname, '../../../../../shared/data');

describe('sealing the real logs', () => {
  it.each<[EventLogName, number]>([
    ['incidents', 1],
    ['incidents', 1000],
    ['permits', 100],
  ])('%s in appends of %i saves at least 60 %%', async (name, batch) => {
    const folder = mkdtempSync(join(tmpdir(), 'allsource-sealed-'));
    const log = eventLog(name, { dataFolder: DATA_FOLDER, tempFolder: folder });
    const disk = new NodeDisk(join(folder, 'log'));
    const store = sealingStore(disk, { segmentBytes: 1024 * 1024 });
    const head = await store.open();
    const frames = framesOf(log.events.slice(0, EVENTS_MAX), { batch, logId: head.logId });
    for (let i = 0; i < frames.length; i += 200)
      expect((await store.append(frames.slice(i, i + 200))).kind).toBe('appended');
    await settled(store);
    const { segments = 0, rawBytes = 0, sealedBytes = 0 } = store.sealing ?? {};
    const saved = 100 - (100 * sealedBytes) / rawBytes;
    console.log(
      `${log.origin}, ${frames.at(-1)?.lastPosition} events, ${batch} a batch: ${segments} segments, ${rawBytes} bytes sealed to ${sealedBytes}: ${saved.toFixed(1)} % saved`,
    );
    expect(saved).toBeGreaterThan(60);
    expect(bytesOf(await collect(store.read(position(1)))) === bytesOf(frames)).toBe(true);
    await store.close();
    rmSync(folder, { recursive: true });
  });
});

/** The events of a log as core appends them, with ids, versions and the chain of each entity. */
function framesOf(
  events: readonly LoggedEvent[],
  { batch, logId }: { readonly batch: number; readonly logId: Buffer },
) {
  const random = new SeededRandom(1);
  const newest = new Map<string, { version: number; position: number }>();
  const frames = [];
  let checksum = 0;
  for (let start = 0; start < events.length; start += batch) {
    const recordedAt = micros(1_700_000_000_000_000 + start * 40 + random.below(30));
    const frame = encodeFrame({
      logId,
      position: position(start + 1),
      recordedAt,
      durablePosition: position(start),
      previousChecksum: checksum,
      tenant: Buffer.from('default'),
      isSystem: false,
      idempotency: null,
      events: events.slice(start, start + batch).map((event, i): FrameEventInput => {
        const at = position(start + i + 1);
        const before = newest.get(event.entity_id) ?? { version: 0, position: 0 };
        newest.set(event.entity_id, { version: before.version + 1, position: at });
        const id = Buffer.alloc(16);
        const recordedAtMs = Math.floor(recordedAt / 1000);
        writeEventId(id, 0, { recordedAtMs, position: at, random: random.below(2 ** 22) });
        const entity = Buffer.from(event.entity_id);
        return {
          id,
          timestamp: micros(Date.parse(event.timestamp) * 1000),
          version: version(before.version + 1),
          previousPosition: position(before.position),
          partition: partitionOf(Buffer.from('default'), entity, 256),
          type: Buffer.from(event.event_type),
          entity,
          payload: Buffer.from(event.payloadText),
          metadata: null,
        };
      }),
    });
    checksum = frame.checksum;
    frames.push(frame);
  }
  return frames;
}
