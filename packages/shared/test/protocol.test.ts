import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { micros, position, version } from '../src/model/index.ts';
import {
  decodeFrame,
  encodeFrame,
  decodeHeadPost,
  encodeHeadNotice,
  encodeHeadPost,
  eventJson,
  FeedDamagedError,
  FeedDecoder,
  type Frame,
  positionedEventJson,
  TypeFilter,
} from '../src/protocol/index.ts';

const LOG_ID = Buffer.from('0102030405060708', 'hex');

const TIMESTAMP = 1_600_000_000_000_000;

function frameAt(
  first: number,
  texts: readonly string[],
  { previousChecksum = 0, timestamp = TIMESTAMP } = {},
): Frame {
  return encodeFrame({
    logId: LOG_ID,
    position: position(first),
    recordedAt: micros(1_790_000_000_000_000),
    durablePosition: position(first - 1),
    previousChecksum,
    tenant: Buffer.from('default'),
    isSystem: false,
    idempotency: { key: Buffer.from('key-1'), bodyDigest: Buffer.alloc(16, 7) },
    events: texts.map((payload, i) => ({
      id: Buffer.alloc(16, i + 1),
      timestamp: micros(timestamp + i),
      version: version(i + 1),
      previousPosition: position(i === 0 ? 0 : first + i - 1),
      partition: 200 + i,
      type: Buffer.from('order.placed'),
      entity: Buffer.from('Größe "1"'),
      payload: Buffer.from(payload),
      metadata: i === 0 ? null : Buffer.from('{"m":1.0}'),
    })),
  });
}

describe('the frame', () => {
  it('gives back what was put in', () => {
    const decoded = decodeFrame(
      Buffer.concat([Buffer.alloc(24), frameAt(41, ['{"a":1.0}', '12345678901234567890']).bytes]),
      24,
    );
    if (decoded.kind !== 'frame') throw new TypeError(decoded.kind);
    const { frame } = decoded;
    expect([
      frame.position,
      frame.lastPosition,
      frame.eventCount,
      frame.tenant,
      frame.isSystem,
    ]).toEqual([41, 42, 2, 'default', false]);
    expect(frame.idempotency?.key.toString()).toBe('key-1');
    const [first, second] = [...frame.events()];
    expect(first?.payload.toString()).toBe('{"a":1.0}');
    expect(first?.metadata).toBeNull();
    expect([
      second?.position,
      second?.version,
      second?.previousPosition,
      second?.partition,
    ]).toEqual([42, 2, 41, 201]);
    expect(second?.entity).toBe('Größe "1"');
    expect(eventJson(second as never)).toBe(
      '{"id":"02020202-0202-0202-0202-020202020202","event_type":"order.placed","entity_id":"Größe \\"1\\"","tenant_id":"default",' +
        '"payload":12345678901234567890,"timestamp":"2020-09-13T12:26:40.000001Z","metadata":{"m":1.0},"version":2,"recorded_at":"2026-09-21T14:13:20.000Z"}',
    );
    expect(positionedEventJson(first as never)).toMatch(/^\{"position":41,"id":/);
  });

  it('keeps instants before 1970 and the extremes of what an instant can be', () => {
    for (const timestamp of [-1, -1_000_000, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0]) {
      expect(frameAt(1, ['{}'], { timestamp }).event(0).timestamp).toBe(timestamp);
    }
  });

  it('has pinned bytes: changing them needs another format version', () => {
    expect(
      createHash('sha256')
        .update(frameAt(1, ['{}', '[]']).bytes)
        .digest('hex'),
    ).toBe(PINNED_FRAME_SHA256);
  });

  it('with any one bit flipped is damage, and never a frame', () => {
    const { bytes } = frameAt(7, ['{"a":"some text"}']);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, decodeFrame(flipped).kind]).not.toEqual([bit, 'frame']);
    }
    console.info(`frame: ${bytes.length * 8} single-bit flips, all detected`);
  });

  it('cut anywhere is incomplete, and zeros are empty', () => {
    const { bytes } = frameAt(7, ['{}']);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeFrame(bytes.subarray(0, length)).kind).toBe('incomplete');
    expect(decodeFrame(Buffer.alloc(64)).kind).toBe('empty');
    expect(decodeFrame(Buffer.from('not a frame at all')).kind).toBe('damaged');
  });
});

describe('the feed', () => {
  it('is cut into the same messages whatever the chunks', () => {
    const first = frameAt(1, ['{}', '{}']);
    const stream = Buffer.concat([
      first.bytes,
      encodeHeadNotice(position(2), LOG_ID),
      frameAt(3, ['[]'], { previousChecksum: first.checksum }).bytes,
    ]);
    for (const size of [1, 3, 7, 64, 1000]) {
      const decoder = new FeedDecoder();
      const seen: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        for (const message of decoder.push(stream.subarray(at, at + size))) {
          seen.push(
            message.kind === 'frame' ? `frame ${message.frame.position}` : `head ${message.head}`,
          );
        }
      }
      expect(seen).toEqual(['frame 1', 'head 2', 'frame 3']);
    }
  });

  it('refuses damage', () => {
    const { bytes } = frameAt(1, ['{}']);
    bytes[bytes.length - 9] = (bytes[bytes.length - 9] as number) ^ 1;
    expect(() => new FeedDecoder().push(bytes)).toThrow(FeedDamagedError);
    expect(() => new FeedDecoder().push(Buffer.alloc(64))).toThrow(FeedDamagedError);
  });
});

describe('type filters', () => {
  it.each([
    [[], 'anything', true],
    [['*'], 'anything', true],
    [['order.placed'], 'order.placed', true],
    [['order.placed'], 'order.placed.x', false],
    [['order.*'], 'order.placed', true],
    [['order.*'], 'order', true],
    [['order.*'], 'orders.placed', false],
    [['order.'], 'order.placed', true],
    [['order.'], 'order', false],
    [['a', 'b.*'], 'c', false],
  ] as const)('%j on %s: %s', (patterns, type, expected) => {
    expect(new TypeFilter(patterns).matches(type)).toBe(expected);
  });
});

const PINNED_FRAME_SHA256 = '5cec69f20b61bc8fb9c264abb016a98980fda1354443d20cbd59bc6ad3b8e84c';

describe('the head post', () => {
  it('has its bytes, and is none with any other bit', () => {
    const record = { writer: Buffer.alloc(16, 0xab), head: position(258), writtenMs: 1.5 };
    const bytes = Buffer.alloc(40);
    encodeHeadPost(record, bytes);
    expect(bytes.toString('hex')).toBe(
      `415350315c1be918${'ab'.repeat(16)}0201000000000000000000000000f83f`,
    );
    expect(decodeHeadPost(bytes)).toEqual(record);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const harmed = Buffer.from(bytes);
      harmed.writeUInt8(harmed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(decodeHeadPost(harmed)).toBeNull();
    }
  });
});
