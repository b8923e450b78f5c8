import { openSync, closeSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { POSITION_ZERO } from '@allsource/shared/model';
import type {
  InspectionFinding,
  InspectionRecord,
  InspectionSummary,
} from '@allsource/shared/protocol';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { InProcessSealer } from '../../src/log/in-process-sealer.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { ReadOnlyDisk } from '../../src/verify/read-only-disk.ts';
import { type VerifyOptions, verifyLog } from '../../src/verify/verify-log.ts';
import { settled } from '../log/sealing-world.ts';
import { SAMPLE_LOG_ID, SampleFrames, type SampleShape } from '../log/sample-frames.ts';

/** Where a frame lies. */
export interface PlacedFrame {
  readonly segment: string;
  readonly offset: number;
  readonly endOffset: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
}

export interface SampleLogOptions {
  readonly frames?: number;
  readonly shape?: SampleShape;
  readonly segmentBytes?: number;
  /** True: the full segments are sealed before the store is closed. */
  readonly isSealed?: boolean;
}

/** Writes a log of frames of three events and returns where each lies. The store is closed as after a clean stop. */
export async function writeSampleLog(
  folder: string,
  {
    frames = 40,
    shape = { events: 3, payloadBytes: 200 },
    segmentBytes = 16_384,
    isSealed = false,
  }: SampleLogOptions = {},
): Promise<PlacedFrame[]> {
  const disk = new NodeDisk(folder);
  const store = new FileLogStore({
    disk,
    segmentBytes,
    partitionCount: 256,
    makeLogId: () => Buffer.from(SAMPLE_LOG_ID),
    sealer: isSealed ? new InProcessSealer(disk) : null,
  });
  const samples = new SampleFrames(await store.open());
  for (let n = 0; n < frames; n++) await store.append([samples.next(shape)]);
  if (isSealed) await settled(store);
  await store.close();
  const all = new SampleFrames({ logId: SAMPLE_LOG_ID, position: POSITION_ZERO, checksum: 0 });
  const names = (await disk.list('')).filter((name) => name.endsWith('.seg')).toSorted();
  const placed: PlacedFrame[] = [];
  let segment = '';
  let offset = 0;
  for (const frame of all.take(frames, shape)) {
    const own = `${String(frame.position).padStart(20, '0')}.seg`;
    if (names.includes(own)) {
      segment = own;
      offset = 4096;
    }
    const endOffset = offset + frame.bytes.length;
    placed.push({
      segment,
      offset,
      endOffset,
      firstPosition: frame.position,
      lastPosition: frame.lastPosition,
    });
    offset = endOffset;
  }
  return placed;
}

/** Flips one bit of a file. */
export function flipBit(path: string, bit: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, bit >> 3);
  byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
  writeSync(file, byte, 0, 1, bit >> 3);
  closeSync(file);
}

/** Overwrites bytes of a file. */
export function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

export interface Verified {
  readonly findings: readonly InspectionFinding[];
  readonly damages: readonly InspectionFinding[];
  readonly summary: InspectionSummary;
}

/** Verifies a folder and gathers what is said. */
export async function verifyFolder(
  folder: string,
  options: Partial<Pick<VerifyOptions, 'disk' | 'upTo' | 'owner' | 'quick'>> = {},
): Promise<Verified> {
  const findings: InspectionFinding[] = [];
  const summary = await verifyLog({
    checkpoint: null,
    disk: new ReadOnlyDisk(new NodeDisk(folder)),
    upTo: null,
    owner: null,
    nowMs: () => performance.now(),
    ...options,
    emit: (record: InspectionRecord) => {
      if (record.record === 'finding') findings.push(record);
    },
  });
  return { findings, damages: findings.filter(({ severity }) => severity === 'damage'), summary };
}

/** The bytes and times of files, to see that nobody changed them. */
export function stateOf(folder: string, names: readonly string[]): string {
  return names
    .map((name) => {
      const path = join(folder, name);
      return `${name} ${statSync(path).mtimeMs} ${readFileSync(path).toString('base64')}`;
    })
    .join('\n');
}
