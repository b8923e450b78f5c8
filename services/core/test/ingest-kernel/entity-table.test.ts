/** The entity table by itself: its hash, its growth, its memory, and that taking back leaves no trace. */
import { describe, expect, it } from '@jest/globals';
import { micros, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { IngestKernel } from '../../src/ingest-kernel/ingest-kernel.ts';
import { CONTEXT_HASH, INPUT, KernelMemory } from '../../src/ingest-kernel/kernel-memory.ts';
import { kernelWasm, testKernel } from '../support/test-kernel.ts';

const EVENTS = 1000;
const SCOPE = { tenant: 't', isSystem: false };

/** Appends one event to each of `EVENTS` entities from `first` on. */
function append(
  kernel: IngestKernel,
  { first, at, conflictAt }: { first: number; at: number; conflictAt?: number },
) {
  const events = Array.from({ length: EVENTS }, (_, i) => ({
    type: 'a',
    entity: `entity-${first + i}`,
    payload: Buffer.from('1'),
    metadata: null,
    timestamp: null,
    expectedVersion: i === conflictAt ? (7 as never) : null,
  }));
  return kernel.commit(kernel.load(events), {
    ...SCOPE,
    logId: Buffer.alloc(8),
    position: position(at),
    recordedAt: micros(1),
    durablePosition: position(0),
    previousChecksum: 0,
    partitionCount: 256,
    idempotency: null,
  });
}

/** Loads an empty kernel. */
function loadAll(parts: readonly Buffer[]): void {
  const { entityTable } = testKernel();
  for (const part of parts) entityTable.load(part);
}

describe('the entity table', () => {
  it('hashes as SipHash-2-4-128 is published to', () => {
    const memory = new KernelMemory({
      wasm: kernelWasm,
      inputBytesMax: 65_536,
      eventsMax: 10,
      hashKey: Buffer.from(Array.from({ length: 16 }, (_, i) => i)),
      idSeed: Buffer.alloc(8),
    });
    memory.exports.selectTenant(0);
    memory.bytes.set(
      Array.from({ length: 64 }, (_, i) => i),
      INPUT,
    );
    const hash = (bytes: number) => {
      memory.exports.hashInto(CONTEXT_HASH, INPUT, bytes);
      return memory.bytes.toString('hex', CONTEXT_HASH, CONTEXT_HASH + 16);
    };
    // The first, second and last vector of the reference implementation (vectors_sip128).
    expect([hash(0), hash(1), hash(63)]).toEqual([
      'a3817f04ba25a8e66df67214c7550293',
      'da87c1d86b99af44347659119b22fc45',
      '5150d1772f50834a503e069a973fbd7c',
    ]);
  });

  it('keeps every entity over many splits, within 64 bytes each', () => {
    const kernel = testKernel();
    const batches = 300;
    for (let i = 0; i < batches; i++) append(kernel, { first: i * EVENTS, at: 1 + i * EVENTS });
    for (let i = 0; i < batches; i += 3)
      append(kernel, { first: i * EVENTS, at: 1 + (batches + i) * EVENTS });
    expect(kernel.entityCount).toBe(batches * EVENTS);
    for (let i = 0; i < batches * EVENTS; i += 7) {
      const isTwice = Math.floor(i / EVENTS) % 3 === 0;
      expect(kernel.lookUp(SCOPE, `entity-${i}`)).toEqual({
        version: isTwice ? 2 : 1,
        lastPosition: isTwice ? 1 + batches * EVENTS + i : 1 + i,
      });
    }
    expect(kernel.lookUp(SCOPE, 'nobody').version).toBe(0);
    expect(kernel.lookUp({ tenant: 't', isSystem: true }, 'entity-1').version).toBe(0);
    expect(kernel.lookUp({ tenant: 'u', isSystem: false }, 'entity-1').version).toBe(0);
    const bytesPerEntity = kernel.tableBytes / kernel.entityCount;
    console.info(
      `entity table: ${bytesPerEntity.toFixed(1)} bytes an entity at ${kernel.entityCount}`,
    );
    expect(bytesPerEntity).toBeLessThan(64);
  });

  it('takes back commits and half-placed commits without a trace, over splits too', () => {
    const kernel = testKernel();
    for (let i = 0; i < 20; i++) append(kernel, { first: i * EVENTS, at: 1 + i * EVENTS });
    const frames = Array.from({ length: 60 }, (_, i) => {
      const commit = append(kernel, { first: (10 + i) * EVENTS, at: 20_001 + i * EVENTS });
      if (commit.kind !== 'committed') throw new TypeError(commit.kind);
      return commit.frame;
    });
    expect(append(kernel, { first: 200_000, at: 90_001, conflictAt: 999 })).toMatchObject({
      kind: 'conflict',
      index: 999,
    });
    expect(append(kernel, { first: 19_500, at: 90_001, conflictAt: 600 })).toMatchObject({
      kind: 'conflict',
      index: 600,
    });
    for (const frame of frames.toReversed()) kernel.undo(frame);
    expect(kernel.entityCount).toBe(20 * EVENTS);
    for (let i = 0; i < 20 * EVENTS; i++)
      expect(kernel.lookUp(SCOPE, `entity-${i}`)).toEqual({ version: 1, lastPosition: 1 + i });
    for (let i = 20 * EVENTS; i < 80 * EVENTS; i += 11)
      expect(kernel.lookUp(SCOPE, `entity-${i}`).version).toBe(0);
  });

  it('is copied while it grows and splits, and with the commits since is what it would be', () => {
    const kernel = testKernel();
    const frames: Frame[] = [];
    const add = (first: number) => {
      const commit = append(kernel, { first, at: 1 + frames.length * EVENTS });
      if (commit.kind !== 'committed') throw new TypeError(commit.kind);
      frames.push(commit.frame);
    };
    for (let i = 0; i < 60; i++) add(i * EVENTS);
    const parts: Buffer[] = [];
    const before = frames.length;
    for (const part of kernel.entityTable.save()) {
      parts.push(Buffer.from(part));
      // Known entities and fresh ones, so that segments are split that were copied, and some that were not.
      for (let i = 0; i < 6; i++) add(((parts.length * 31 + i * 17) % 400) * EVENTS);
    }
    const loaded = testKernel();
    for (const part of parts) loaded.entityTable.load(part);
    for (const frame of frames.slice(before)) loaded.fold(frame);
    expect(loaded.entityCount).toBe(kernel.entityCount);
    for (let i = 0; i < 400 * EVENTS; i += 13)
      expect(loaded.lookUp(SCOPE, `entity-${i}`)).toEqual(kernel.lookUp(SCOPE, `entity-${i}`));
    append(loaded, { first: 500_000, at: 1_000_001 });
    expect(loaded.lookUp(SCOPE, 'entity-500999').version).toBe(1);
    console.info(
      `copied ${parts.length} parts beside ${frames.length - before} commits; ${loaded.entityCount} entities`,
    );
  });

  it('takes no segments that make no sense or are missing', () => {
    const kernel = testKernel();
    for (let i = 0; i < 40; i++) append(kernel, { first: i * EVENTS, at: 1 + i * EVENTS });
    const parts = [...kernel.entityTable.save()].map((part) => Buffer.from(part));
    loadAll(parts);
    expect(() => loadAll(parts.toSpliced(2, 1))).toThrow('all segments are there');
    for (const at of [0, 8, 12, 19, 39]) {
      const spoilt = Buffer.from(parts[1] ?? []);
      spoilt[at] = (spoilt[at] ?? 0) ^ 0x87;
      expect(() => loadAll([...parts.slice(0, 1), spoilt])).toThrow('segments that make sense');
    }
  });
});
