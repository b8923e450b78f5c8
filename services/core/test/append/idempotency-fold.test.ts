import { describe, expect, it } from '@jest/globals';
import { micros, position, version } from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';
import { IdempotencyFold } from '../../src/append/idempotency-fold.ts';

const KEYS = 60_000;

function frameOf(tenant: string, key: string, at: number): Frame {
  return encodeFrame({
    logId: Buffer.alloc(8),
    position: position(at),
    recordedAt: micros(1),
    durablePosition: position(0),
    previousChecksum: 0,
    tenant: Buffer.from(tenant),
    isSystem: false,
    idempotency: { key: Buffer.from(key), bodyDigest: Buffer.from(String(at).padEnd(16)) },
    events: [
      {
        id: Buffer.alloc(16),
        timestamp: micros(1),
        version: version(1),
        previousPosition: position(0),
        partition: 0,
        type: Buffer.from('a'),
        entity: Buffer.from('a'),
        payload: Buffer.from('1'),
        metadata: null,
      },
    ],
  });
}

function expectAll(fold: IdempotencyFold, keys: number, step: number): void {
  for (let i = 1; i <= keys; i += step)
    expect(fold.find(i % 2 === 0 ? 'even' : 'odd', `key-${i}`)).toEqual({
      position: i,
      bodyDigest: Buffer.from(String(i).padEnd(16)),
    });
}

describe('the fold of idempotency keys', () => {
  it('finds every key of its tenant and no other, at less than 64 bytes each, over saving and loading', () => {
    const fold = new IdempotencyFold();
    for (let i = 1; i <= KEYS; i++)
      fold.apply(frameOf(i % 2 === 0 ? 'even' : 'odd', `key-${i}`, i));
    expectAll(fold, KEYS, 37);
    expect(fold.find('even', 'key-1')).toBeNull();
    expect(fold.find('odd', `key-${KEYS + 1}`)).toBeNull();
    // The bytes after the tenant's name are no part of it: names and keys that join to the same text are apart.
    expect(fold.find('od', 'dkey-1')).toBeNull();
    console.info(`idempotency: ${(fold.bytes / fold.size).toFixed(1)} bytes a key at ${fold.size}`);
    expect(fold.bytes / fold.size).toBeLessThan(64);
    const parts = [...fold.save()].map((part) => Buffer.from(part));
    const loaded = new IdempotencyFold();
    for (const part of parts) loaded.load(part);
    expect(loaded.size).toBe(KEYS);
    expectAll(loaded, KEYS, 53);
  });

  it('saves what it knew at the call, and folds a frame twice without a trace', () => {
    const fold = new IdempotencyFold();
    for (let i = 1; i <= 10; i++) fold.apply(frameOf(i % 2 === 0 ? 'even' : 'odd', `key-${i}`, i));
    const saving = fold.save();
    for (let i = 1; i <= 20; i++) fold.apply(frameOf(i % 2 === 0 ? 'even' : 'odd', `key-${i}`, i));
    expect(fold.size).toBe(20);
    const loaded = new IdempotencyFold();
    for (const part of saving) loaded.load(part);
    expect(loaded.size).toBe(10);
    for (let i = 1; i <= 20; i++)
      loaded.apply(frameOf(i % 2 === 0 ? 'even' : 'odd', `key-${i}`, i));
    expectAll(loaded, 20, 1);
    expect(loaded.size).toBe(20);
  });
});
