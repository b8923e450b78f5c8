import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { micros, position } from '@allsource/shared/model';
import { decodeFrame } from '@allsource/shared/protocol';
import { decodeHeadMarker, encodeHeadMarker } from '../../src/log/head-marker.ts';
import { PositionIndex } from '../../src/log/position-index.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  parseSegmentName,
  segmentName,
} from '../../src/log/segment.ts';
import { SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';

const HEADER = {
  logId: SAMPLE_LOG_ID,
  partitionCount: 256,
  previousChecksum: 0x12345678,
  firstPosition: position(1_234_567),
  createdAt: micros(1_700_000_000_000_000),
};

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** These bytes are on the disks of users. When one of these fails, give the format another version; never change the hash. */
describe('the bytes on disk', () => {
  it('of a frame are those of format ASF1', () => {
    const maker = new SampleFrames({ logId: SAMPLE_LOG_ID, position: position(41), checksum: 7 });
    const { bytes } = maker.next({ events: 2, payloadBytes: 40 });
    expect(bytes.length).toBe(344);
    expect(bytes.subarray(0, 4).toString('latin1')).toBe('ASF1');
    expect(sha256(bytes)).toBe('21875eaf5cd0a3189cd803a18554db26ac28ee066c0b00fc3404b73749378fff');
  });

  it('of a segment header are those of format ASG1', () => {
    const bytes = encodeSegmentHeader(HEADER);
    expect(bytes.length).toBe(4096);
    expect(bytes.subarray(0, 40).toString('hex')).toBe(
      '4153473137edf210a11500ceb0017e57000100007856341287d612000000000000401e18240a0600',
    );
    expect(sha256(bytes)).toBe('8b07b5af8b753403ef61b03f08665b8e74cc66c577e083f6bc3d97bedbb7fe8a');
  });

  it('of a head marker are those of format ASH1', () => {
    const marker = { logId: SAMPLE_LOG_ID, position: position(99), checksum: 0xdeadbeef };
    const bytes = encodeHeadMarker(marker);
    expect(sha256(bytes)).toBe('4e2c68980be639770ef50aea8adef8f7172bfef8f88f06463b2401e6c80b3c85');
    expect(decodeHeadMarker(bytes)).toEqual(marker);
    expect(decodeHeadMarker(bytes.subarray(1))).toBeNull();
  });

  it('of a header read back as what was written, and not at all when cut short', () => {
    const bytes = encodeSegmentHeader(HEADER);
    expect(decodeSegmentHeader(bytes)).toEqual({ kind: 'header', header: HEADER });
    for (const length of [0, 1, 40, 4095])
      expect(decodeSegmentHeader(bytes.subarray(0, length)).kind).toBe('damaged');
  });

  it('name a segment by its first position in twenty digits', () => {
    expect(segmentName(position(42))).toBe('00000000000000000042.seg');
    expect(parseSegmentName('00000000000000000042.seg')).toBe(42);
    for (const name of ['42.seg', '00000000000000000000.seg', '99999999999999999999.seg', 'head'])
      expect(parseSegmentName(name)).toBeNull();
  });
});

describe('the position index', () => {
  it('leads to the last mark at or before a position, with the checksum before it', () => {
    const maker = new SampleFrames({ logId: SAMPLE_LOG_ID, position: position(999), checksum: 5 });
    const index = new PositionIndex(position(1000));
    const marks: { position: number; offset: number; previousChecksum: number }[] = [];
    let offset = 4096;
    for (const frame of maker.take(400, { events: 3, payloadBytes: 500 })) {
      const mark = { position: frame.position, offset, previousChecksum: frame.previousChecksum };
      index.note(mark);
      if (offset - (marks.at(-1)?.offset ?? -Infinity) >= 16 * 1024) marks.push(mark);
      expect(decodeFrame(frame.bytes).kind).toBe('frame');
      offset += frame.bytes.length;
    }
    expect(marks.length).toBeGreaterThan(20);
    for (let at = 1000; at < 2200; at++) {
      const ordinal = marks.findLastIndex((mark) => mark.position <= at);
      expect(index.find(position(at))).toEqual({
        start: marks[ordinal],
        next: marks[ordinal + 1] ?? null,
      });
    }
  });
});
