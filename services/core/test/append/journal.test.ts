import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { type Clock, formatTimestamp, micros, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { batchAnswer, singleAnswer } from '../../src/append/append-answer.ts';
import { Journal } from '../../src/append/journal.ts';
import { SequencingBuilder } from '../../src/append/sequencing-builder.ts';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { testKernel } from '../support/test-kernel.ts';
import type { CommitBuilder, PlacementEvent } from '../../src/append/commit-builder.ts';
import type {
  LogHead,
  LogStore,
  ReplayOnOpen,
  StoreAppendOutcome,
} from '../../src/storage/log-store.ts';
import { MemoryLog, MemoryLogStore } from '../../src/storage/memory-log-store.ts';
import { framesOf } from '../../src/storage/stretch.ts';

const START = 1_790_000_000_000_000;

class TestClock implements Clock {
  now = START;

  nowMicros() {
    return micros(this.now);
  }
}

/** A memory store whose next appends can be held back or made to fail. */
class ControlledStore implements LogStore {
  readonly inner: MemoryLogStore;
  readonly groups: number[] = [];
  outcomes: StoreAppendOutcome[] = [];
  gate: Promise<void> = Promise.resolve();

  constructor(log: MemoryLog) {
    this.inner = new MemoryLogStore(log);
  }

  open(replay?: ReplayOnOpen): Promise<LogHead> {
    return this.inner.open(replay);
  }

  async append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    await this.gate;
    this.groups.push(frames.length);
    return this.outcomes.shift() ?? (await this.inner.append(frames));
  }

  read(from: Parameters<LogStore['read']>[0]): ReturnType<LogStore['read']> {
    return this.inner.read(from);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

function event(entity: string, over: Partial<PlacementEvent> = {}): PlacementEvent {
  return {
    type: 'order.placed',
    entity,
    payload: Buffer.from('{}'),
    metadata: null,
    timestamp: null,
    expectedVersion: null,
    ...over,
  };
}

async function stored(journal: Journal): Promise<string[]> {
  const seen: string[] = [];
  for await (const frame of framesOf(journal.read(position(1)))) {
    for (const e of frame.events())
      seen.push(`${e.position} ${e.entity} v${e.version} <${e.previousPosition}`);
  }
  return seen;
}

/** Every law of the journal holds whichever builder makes its commits. */
const BUILDERS: [string, (clock: Clock) => CommitBuilder][] = [
  ['the builder in TypeScript', (clock) => new SequencingBuilder({ clock, random: () => 7 })],
  ['the ingest kernel', (clock) => new KernelBuilder({ clock, kernel: testKernel() })],
];

describe.each(BUILDERS)('with %s', (_name, makeBuilder) => {
  async function world(log = new MemoryLog(), onWatermark?: (watermark: number) => void) {
    const store = new ControlledStore(log);
    const clock = new TestClock();
    const journal = await Journal.open({
      store,
      clock,
      random: () => 7,
      folds: [],
      builder: makeBuilder(clock),
      ...(onWatermark === undefined ? {} : { onWatermark }),
    });
    const append = (events: PlacementEvent[], key: string | null = null, body = 'body') =>
      journal.append({
        tenant: 'default',
        events,
        idempotency: key === null ? null : { key, bodyDigest: Buffer.from(body.padEnd(16)) },
      });
    return { log, store, clock, journal, append };
  }

  describe('an append', () => {
    it('gives gapless positions, versions per entity and the chain of each entity', async () => {
      const { journal, append } = await world();
      await append([event('a'), event('b'), event('a')]);
      await append([event('b')]);
      expect(await stored(journal)).toEqual(['1 a v1 <0', '2 b v1 <0', '3 a v2 <1', '4 b v2 <2']);
      expect(journal.entities.version('default', 'a')).toBe(2);
      expect(journal.head).toBe(4);
    });

    it('made while another is on its way continues from it, and both share a sync', async () => {
      const { store, journal, append } = await world();
      await Promise.all([append([event('a')]), append([event('a')]), append([event('a')])]);
      expect(store.groups).toEqual([3]);
      expect(await stored(journal)).toEqual(['1 a v1 <0', '2 a v2 <1', '3 a v3 <2']);
    });

    it('is seen by subscribers once it is durable, before it is answered, and never earlier', async () => {
      const { store, journal, append } = await world();
      const seen: number[] = [];
      journal.subscribe((frame) => seen.push(frame.position));
      const gate = Promise.withResolvers<void>();
      store.gate = gate.promise;
      const answered = append([event('a')]).then(() => expect(seen).toEqual([1]));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect([seen, journal.head, journal.entities.version('default', 'a')]).toEqual([[], 0, 0]);
      gate.resolve();
      await answered;
    });

    it('raises the watermark once for its group, durable and before anybody sees a frame of it', async () => {
      const told: string[] = [];
      const { store, journal, append } = await world(new MemoryLog(), (watermark) =>
        told.push(`watermark ${watermark}`),
      );
      journal.subscribe((frame) => told.push(`frame ${frame.position}`));
      const gate = Promise.withResolvers<void>();
      store.gate = gate.promise;
      const answered = Promise.all([append([event('a')]), append([event('a'), event('b')])]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(told).toEqual([]);
      gate.resolve();
      await answered;
      expect(told).toEqual(['watermark 3', 'frame 1', 'frame 2']);
    });

    it('keeps the tenants apart: the same entity id has a history of its own in each', async () => {
      const { journal, append } = await world();
      await append([event('a')]);
      await journal.append({ tenant: 'other', events: [event('a')], idempotency: null });
      await journal.appendSystem('default', [
        {
          entity: 'a',
          event: {
            type: '_system.consumer.registered',
            payload: { consumer_id: 'a', event_type_filters: [] },
          },
        },
      ]);
      expect([
        journal.entities.version('default', 'a'),
        journal.entities.version('other', 'a'),
      ]).toEqual([1, 1]);
      expect(journal.entities.eventCount('default')).toBe(1);
    });

    it('never lets recorded_at go back with the clock', async () => {
      const { clock, append } = await world();
      await append([event('a')]);
      clock.now = START - 3_600_000_000;
      const outcome = await append([event('a')]);
      expect(outcome.kind === 'appended' && formatTimestamp(outcome.frame.recordedAt)).toBe(
        formatTimestamp(micros(START)),
      );
    });
  });

  describe('an expected version', () => {
    it('that does not hold stores nothing of the commit and names the current version', async () => {
      const { journal, append } = await world();
      await append([event('a')]);
      const outcome = await append([event('b'), event('a', { expectedVersion: 0 as never })]);
      expect(outcome).toEqual({ kind: 'conflict', index: 1, expected: 0, current: 1 });
      expect(await stored(journal)).toEqual(['1 a v1 <0']);
    });

    it('advances inside a batch', async () => {
      const { append } = await world();
      const versions = [0, 1, 2].map((v) => event('a', { expectedVersion: v as never }));
      expect((await append(versions)).kind).toBe('appended');
    });

    it('raced by 64 callers has exactly one winner', async () => {
      const { journal, append } = await world();
      const outcomes = await Promise.all(
        Array.from({ length: 64 }, () => append([event('a', { expectedVersion: 0 as never })])),
      );
      expect(outcomes.filter((outcome) => outcome.kind === 'appended')).toHaveLength(1);
      expect(journal.head).toBe(1);
    });

    it('is not reported as broken by a commit that then fails', async () => {
      const { store, append } = await world();
      store.outcomes = [{ kind: 'full', cause: new TypeError('no space') }];
      const first = append([event('a')]);
      const second = append([event('a', { expectedVersion: 0 as never })]);
      await expect(first).rejects.toMatchObject({ code: 'storage_full' });
      await expect(second).rejects.toMatchObject({ code: 'storage_full' });
      expect((await append([event('a', { expectedVersion: 0 as never })])).kind).toBe('appended');
    });
  });

  describe('an idempotency key', () => {
    it('answers a retry as the first time, also while the first is on its way and after a restart', async () => {
      const { log, append } = await world();
      const [first, second] = await Promise.all([
        append([event('a')], 'k'),
        append([event('a')], 'k'),
      ]);
      const third = await append([event('a')], 'k');
      const fourth = await (await world(log)).append([event('a')], 'k');
      const answers = [first, second, third, fourth].map((o) =>
        o.kind === 'appended' ? singleAnswer(o.frame) : o.kind,
      );
      expect(new Set(answers).size).toBe(1);
      expect(
        [first, second, third, fourth].map((o) => o.kind === 'appended' && o.isReplay),
      ).toEqual([false, true, true, true]);
      expect(log.head.position).toBe(1);
    });

    it('is refused for another body, and belongs to one tenant', async () => {
      const { journal, append } = await world();
      await append([event('a')], 'k', 'one');
      await expect(append([event('a')], 'k', 'two')).rejects.toMatchObject({
        code: 'idempotency_key_reused',
      });
      const other = await journal.append({
        tenant: 'other',
        events: [event('a')],
        idempotency: { key: 'k', bodyDigest: Buffer.from('two'.padEnd(16)) },
      });
      expect(other).toMatchObject({ isReplay: false });
    });

    it('wins over an expected version that no longer holds', async () => {
      const { append } = await world();
      await append([event('a', { expectedVersion: 0 as never })], 'k');
      expect(await append([event('a', { expectedVersion: 0 as never })], 'k')).toMatchObject({
        kind: 'appended',
        isReplay: true,
      });
    });

    it('of an append that failed is free again', async () => {
      const { store, append } = await world();
      store.outcomes = [{ kind: 'full', cause: new TypeError('no space') }];
      await expect(append([event('a')], 'k')).rejects.toMatchObject({ code: 'storage_full' });
      expect(await append([event('a')], 'k', 'another')).toMatchObject({ isReplay: false });
    });
  });

  describe('a disk that refuses', () => {
    it('for want of space leaves nothing behind, and appends go on when there is space', async () => {
      const { store, journal, append } = await world();
      await append([event('a')]);
      store.outcomes = [{ kind: 'full', cause: new TypeError('no space') }];
      await expect(append([event('a')])).rejects.toMatchObject({ code: 'storage_full' });
      expect(journal.fullCause).not.toBeNull();
      await append([event('a')]);
      expect(await stored(journal)).toEqual(['1 a v1 <0', '2 a v2 <1']);
      expect(journal.fullCause).toBeNull();
    });

    it('to sync poisons the writer: no append is taken any more, reads go on', async () => {
      const { store, journal, append } = await world();
      await append([event('a')]);
      store.outcomes = [{ kind: 'failed', cause: new TypeError('EIO') }];
      // More than goes into one group, so the last of them waits behind it.
      const payload = Buffer.from(`{"x":"${'x'.repeat(1_000_000)}"}`);
      const large = Array.from({ length: 9 }, (_, i) => append([event(`b${i}`, { payload })]));
      const refused = await Promise.allSettled(large);
      const later = await Promise.allSettled([append([event('c')])]);
      const said = [...refused, ...later].map((each) => {
        const { code, message } = (each as PromiseRejectedResult).reason as Problem;
        return `${code}: ${/not known|Nothing of this request was stored/.exec(message)?.[0]}`;
      });
      expect(said).toEqual([
        ...Array<string>(8).fill('writer_poisoned: not known'),
        ...Array<string>(2).fill('writer_poisoned: Nothing of this request was stored'),
      ]);
      expect(store.groups).toEqual([1, 8]);
      expect(await stored(journal)).toEqual(['1 a v1 <0']);
    });
  });

  describe('a restart', () => {
    it('builds every fold again to the same state', async () => {
      const { log, journal, append } = await world();
      await append([event('a'), event('b')], 'k');
      await append([event('a')]);
      const again = (await world(log)).journal;
      expect([
        again.head,
        again.entities.version('default', 'a'),
        again.entities.entityCount('default'),
      ]).toEqual([journal.head, 2, 2]);
    });
  });

  it('the answers hold every id and version in input order, whole events on demand', async () => {
    const { append } = await world();
    const outcome = await append([event('a', { payload: Buffer.from('{"n":1.0}') }), event('a')]);
    if (outcome.kind !== 'appended') throw new TypeError(outcome.kind);
    const compact = JSON.parse(batchAnswer(outcome.frame, false)) as {
      events: { version: number }[];
      data: object[];
    };
    expect(compact.events.map((e) => e.version)).toEqual([1, 2]);
    expect(compact.data).toEqual(compact.events);
    expect(batchAnswer(outcome.frame, true)).toContain('"payload":{"n":1.0}');
    expect(JSON.parse(batchAnswer(null, false))).toEqual({
      total: 0,
      ingested: 0,
      count: 0,
      events: [],
      data: [],
    });
  });
});
