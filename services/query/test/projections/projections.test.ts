import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { SeededRandom } from '@allsource/testkit';
import { BUILT_IN_PROJECTIONS } from '../../src/projections/built-in.ts';
import { entitySnapshots } from '../../src/projections/entity-snapshots.ts';
import { eventCounters } from '../../src/projections/event-counters.ts';
import { ProjectionSink } from '../../src/projections/projection-sink.ts';
import { ProjectionStore } from '../../src/projections/projection-store.ts';
import { LogWriter } from './log-writer.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-projections-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return join(folder, 'projections.sqlite');
}

function open(file: string) {
  const reasons: string[] = [];
  const store = new ProjectionStore({
    file,
    nowMs: () => 1_700_000_000_000,
    onSetAside: (reason) => reasons.push(reason),
  });
  cleanups.push(() => store.close());
  const sink = new ProjectionSink({
    store,
    projections: BUILT_IN_PROJECTIONS,
    onCommitted: () => {},
  });
  return { store, sink, reasons };
}

function snapshot(store: ProjectionStore, tenant: string, entity: string): string | null {
  return store.state(entitySnapshots, tenant, entity)?.state ?? null;
}

describe('the built-in projections', () => {
  it('merge payloads member by member without changing a number, and count by type', async () => {
    const log = new LogWriter();
    log.commit('acme', [
      { type: 'a.b', entity: 'e', payload: '{"x":1.0,"big":9007199254740993}' },
      { type: 'a.b', entity: 'e', payload: '[1,2]' },
      { type: 'a.c', entity: 'e', payload: '{"x":{"y":1e2},"__proto__":1}' },
    ]);
    log.commit('_system', [{ type: '_system.sample', entity: 'e' }], true);
    log.commit('other', [{ type: 'a.b', entity: 'e', payload: '{"x":"theirs"}' }]);
    const { store, sink } = open(temporaryFile());
    await sink.apply(log.frames, log.logIdHex);
    expect(snapshot(store, 'acme', 'e')).toBe(
      '{"x":{"y":1e2},"big":9007199254740993,"__proto__":1}',
    );
    expect(snapshot(store, 'other', 'e')).toBe('{"x":"theirs"}');
    expect(snapshot(store, 'acme', 'unknown')).toBeNull();
    expect(store.state(eventCounters, 'acme', 'a.b')?.state).toBe('{"count":2}');
    expect(store.totals('acme')).toMatchObject({ events: 3, entities: 1 });
    expect(store.totals('_system')).toMatchObject({ events: 0 });
    expect(store.position).toBe(5);
  });

  it('hold the same whatever portions the log comes in, and across restarts', async () => {
    const random = new SeededRandom(7);
    const log = new LogWriter();
    const expected = new Map<string, Record<string, number>>();
    const counts = new Map<string, number>();
    while (log.frames.length < 300) {
      const events = Array.from({ length: 1 + random.below(40) }, () => {
        const entity = `e${random.below(50)}`;
        const [member, value] = [`m${random.below(5)}`, random.below(1000)];
        const type = `t${random.below(4)}`;
        expected.set(entity, { ...expected.get(entity), [member]: value });
        counts.set(type, (counts.get(type) ?? 0) + 1);
        return { type, entity, payload: `{"${member}":${value}}` };
      });
      log.commit('acme', events);
    }
    const file = temporaryFile();
    let at = 0;
    while (at < log.frames.length) {
      const { store, sink } = open(file);
      for (let calls = 0; calls < 3 && at < log.frames.length; calls++) {
        const next = at + 1 + random.below(60);
        await sink.apply(log.frames.slice(at, next), log.logIdHex);
        at = Math.min(next, log.frames.length);
      }
      store.close();
    }
    const { store } = open(file);
    expect(store.logId).toBe(log.logIdHex);
    for (const [entity, state] of expected)
      expect(JSON.parse(snapshot(store, 'acme', entity) ?? '')).toEqual(state);
    for (const [type, count] of counts)
      expect(store.state(eventCounters, 'acme', type)?.state).toBe(`{"count":${count}}`);
  });

  it('take no frames that do not follow what they hold', async () => {
    const log = new LogWriter();
    for (let i = 0; i < 3; i++) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
    const { sink, store } = open(temporaryFile());
    await expect(sink.apply(log.frames.slice(1), log.logIdHex)).rejects.toThrow('position 0');
    await sink.apply(log.frames.slice(0, 1), log.logIdHex);
    await expect(sink.apply(log.frames.slice(0, 1), log.logIdHex)).rejects.toThrow('position 1');
    expect(store.totals('acme').events).toBe(1);
  });

  it('stop keeping a snapshot that passes its limit, and say so', async () => {
    const log = new LogWriter();
    const piece = 'x'.repeat(1_000_000);
    const pieces = Math.ceil(LIMITS.entitySnapshotBytesMax / piece.length) + 1;
    for (let i = 0; i < pieces; i++)
      log.commit('acme', [{ type: 'a.b', entity: 'e', payload: `{"m${i}":"${piece}"}` }]);
    log.commit('acme', [{ type: 'a.b', entity: 'e', payload: '{"small":1}' }]);
    const { store, sink } = open(temporaryFile());
    for (const frame of log.frames) await sink.apply([frame], log.logIdHex);
    expect(store.state(entitySnapshots, 'acme', 'e')).toEqual({ key: 'e', state: null });
    expect(store.totals('acme').events).toBe(pieces + 1);
  });

  it('are listed in the order of their keys, by prefix and window', async () => {
    const log = new LogWriter();
    const entities = ['b-2', 'a', 'b', 'b-1', 'c', 'ä', 'b\u{1f600}'];
    log.commit(
      'acme',
      entities.map((entity) => ({ type: 'a.b', entity })),
    );
    const { store, sink } = open(temporaryFile());
    await sink.apply(log.frames, log.logIdHex);
    const keys = (keyPrefix: string, limit: number, offset: number) =>
      store
        .page({ projection: entitySnapshots, tenant: 'acme', keyPrefix, limit, offset })
        .map(({ key }) => key);
    expect(keys('', 100, 0)).toEqual(['a', 'b', 'b-1', 'b-2', 'b\u{1f600}', 'c', 'ä']);
    expect(keys('b', 2, 1)).toEqual(['b-1', 'b-2']);
    expect(store.count(entitySnapshots, 'acme', 'b')).toBe(4);
    expect(store.count(entitySnapshots, 'other', '')).toBe(0);
  });
});

describe('the file of the projections', () => {
  it.each([
    ['is no database', (file: string) => writeFileSync(file, 'nonsense '.repeat(1000))],
    ['was cut off', (file: string) => truncateSync(file, 100)],
    ['is empty of tables', (file: string) => truncateSync(file, 0)],
  ])('is set aside when it %s, and filled again', async (_case, damage) => {
    const log = new LogWriter();
    log.commit('acme', [{ type: 'a.b', entity: 'e', payload: '{"x":1}' }]);
    const file = temporaryFile();
    const before = open(file);
    await before.sink.apply(log.frames, log.logIdHex);
    before.store.close();
    damage(file);
    const { store, sink, reasons } = open(file);
    expect(reasons).toHaveLength(1);
    expect(existsSync(`${file}.set-aside`)).toBe(true);
    expect([store.position, store.logId]).toEqual([0, null]);
    await sink.apply(log.frames, log.logIdHex);
    expect(snapshot(store, 'acme', 'e')).toBe('{"x":1}');
  });

  it('is emptied by a reset, for the log of another core', async () => {
    const [one, two] = [new LogWriter('one'), new LogWriter('two')];
    one.commit('acme', [{ type: 'a.b', entity: 'old' }]);
    two.commit('acme', [{ type: 'a.b', entity: 'new' }]);
    const { store, sink } = open(temporaryFile());
    await sink.apply(one.frames, one.logIdHex);
    sink.reset();
    expect(sink.appliedPosition).toBe(0);
    await sink.apply(two.frames, two.logIdHex);
    expect(store.count(entitySnapshots, 'acme', '')).toBe(1);
    expect(store.logId).toBe(two.logIdHex);
  });
});
