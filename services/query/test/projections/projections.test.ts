import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { position as positionOf } from '@allsource/shared/model';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import Database from 'better-sqlite3';
import { BUILT_IN_PROJECTIONS } from '../../src/projections/built-in.ts';
import { entitySnapshots } from '../../src/projections/entity-snapshots.ts';
import { eventCounters } from '../../src/projections/event-counters.ts';
import { ProjectionFolds } from '../../src/projections/projection-folds.ts';
import { ProjectionStore } from '../../src/projections/projection-store.ts';
import { LogWriter } from './log-writer.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-projections-'));
  cleanups.add(() => rmSync(folder, { recursive: true }));
  return join(folder, 'projections.sqlite');
}

function open(file: string) {
  const reasons: string[] = [];
  const store = new ProjectionStore({
    file,
    nowMs: () => 1_700_000_000_000,
    onSetAside: (reason) => reasons.push(reason),
  });
  const folds = new ProjectionFolds({
    store,
    projections: BUILT_IN_PROJECTIONS,
    onFolded: () => {},
    onSaveFailed: (error) => reasons.push(String(error)),
  });
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= folds.close().then(() => store.close());
    return closed;
  };
  cleanups.add(close);
  return { store, folds, reasons, close };
}

function snapshot(folds: ProjectionFolds, tenant: string, entity: string): string | null {
  return folds.state(entitySnapshots, tenant, entity)?.state ?? null;
}

function listed(folds: ProjectionFolds, keyPrefix: string, window = { limit: 1_000, offset: 0 }) {
  return folds.list({ projection: entitySnapshots, tenant: 'acme', keyPrefix, ...window });
}

async function listedStates(...asked: Parameters<typeof listed>) {
  const { rows } = await listed(...asked);
  return JSON.parse(`[${rows.toString()}]`) as { entity_id: string; state: unknown }[];
}

/** A file of 400 states whose later half is damaged, and the log that it was filled from. */
async function damagedStore() {
  const log = new LogWriter();
  for (let i = 0; i < 400; i++)
    log.commit('acme', [{ type: 'a.b', entity: `e${i}`, payload: `{"x":"${'x'.repeat(400)}"}` }]);
  const file = temporaryFile();
  const before = open(file);
  await before.folds.apply(log.frames, log.logIdHex);
  await before.close();
  const bytes = readFileSync(file);
  bytes.fill(0xff, bytes.length / 2);
  writeFileSync(file, bytes);
  return { log, file };
}

/** What a crash leaves: the file without what is only in memory. */
function crashedCopy(file: string): string {
  const copy = temporaryFile();
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix);
  return copy;
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
    const { folds } = open(temporaryFile());
    await folds.apply(log.frames, log.logIdHex);
    expect(snapshot(folds, 'acme', 'e')).toBe(
      '{"x":{"y":1e2},"big":9007199254740993,"__proto__":1}',
    );
    expect(snapshot(folds, 'other', 'e')).toBe('{"x":"theirs"}');
    expect(snapshot(folds, 'acme', 'unknown')).toBeNull();
    expect(folds.state(eventCounters, 'acme', 'a.b')?.state).toBe('{"count":2}');
    expect(folds.textBytes('acme')).toBe(3 * 4 + 32 + 5 + 29);
    expect(folds.textBytes('_system')).toBe(0);
    expect(folds.appliedPosition).toBe(5);
  });

  it('count every event once, whatever stretches the log comes in, across restarts and crashes', async () => {
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
    let file = temporaryFile();
    for (let starts = 0; ; starts++) {
      const { folds, close } = open(file);
      const rest = log.frames.filter(({ position }) => position > folds.appliedPosition);
      for (let calls = 0; calls < 3 && rest.length > 0; calls++) {
        await folds.apply(rest.splice(0, 1 + random.below(60)), log.logIdHex);
        // A list is read from the file, so it makes everything be saved first.
        if (random.below(3) === 0) await listed(folds, '');
      }
      for (const [entity] of expected) snapshot(folds, 'acme', entity);
      if (rest.length === 0) break;
      const crashed = random.below(2) === 0 ? crashedCopy(file) : file;
      await close();
      file = crashed;
      expect(starts).toBeLessThan(300);
    }
    const { folds } = open(file);
    await folds.apply(
      log.frames.filter(({ position }) => position > folds.appliedPosition),
      log.logIdHex,
    );
    expect(folds.logId).toBe(log.logIdHex);
    for (const [entity, state] of expected)
      expect(JSON.parse(snapshot(folds, 'acme', entity) ?? '')).toEqual(state);
    for (const [type, count] of counts)
      expect(folds.state(eventCounters, 'acme', type)?.state).toBe(`{"count":${count}}`);
  });

  it('take no frames that do not follow what they hold', async () => {
    const log = new LogWriter();
    for (let i = 0; i < 3; i++) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
    const { folds } = open(temporaryFile());
    await expect(folds.apply(log.frames.slice(1), log.logIdHex)).rejects.toThrow('position 0');
    await folds.apply(log.frames.slice(0, 1), log.logIdHex);
    await expect(folds.apply(log.frames.slice(0, 1), log.logIdHex)).rejects.toThrow('position 1');
    expect(folds.state(eventCounters, 'acme', 'a.b')?.state).toBe('{"count":1}');
  });

  it('stop keeping a snapshot that passes its limit, and say so', async () => {
    const log = new LogWriter();
    const piece = 'x'.repeat(1_000_000);
    const pieces = Math.ceil(LIMITS.entitySnapshotBytesMax / piece.length) + 1;
    for (let i = 0; i < pieces; i++)
      log.commit('acme', [{ type: 'a.b', entity: 'e', payload: `{"m${i}":"${piece}"}` }]);
    log.commit('acme', [{ type: 'a.b', entity: 'e', payload: '{"small":1}' }]);
    const { folds } = open(temporaryFile());
    for (const frame of log.frames) await folds.apply([frame], log.logIdHex);
    expect(folds.state(entitySnapshots, 'acme', 'e')).toEqual({ key: 'e', state: null });
    expect(await listedStates(folds, '')).toEqual([
      { entity_id: 'e', state: null, too_large: true },
    ]);
    expect(folds.state(entitySnapshots, 'acme', 'e')).toEqual({ key: 'e', state: null });
    expect(folds.state(eventCounters, 'acme', 'a.b')?.state).toBe(`{"count":${pieces + 1}}`);
  });

  it('are listed in the order of their keys, by prefix and window', async () => {
    const log = new LogWriter();
    const entities = ['b-2', 'a', 'b', 'b-1', 'c', 'ä', 'b\u{1f600}'];
    log.commit(
      'acme',
      entities.map((entity) => ({ type: 'a.b', entity })),
    );
    const { folds } = open(temporaryFile());
    await folds.apply(log.frames, log.logIdHex);
    const keys = async (keyPrefix: string, limit: number, offset: number) =>
      (await listedStates(folds, keyPrefix, { limit, offset })).map(
        ({ entity_id: entity }) => entity,
      );
    expect(await keys('', 100, 0)).toEqual(['a', 'b', 'b-1', 'b-2', 'b\u{1f600}', 'c', 'ä']);
    expect(await keys('b', 2, 1)).toEqual(['b-1', 'b-2']);
    expect((await listed(folds, 'b', { limit: 1, offset: 0 })).total).toBe(4);
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
    await before.folds.apply(log.frames, log.logIdHex);
    await before.close();
    damage(file);
    const { folds, reasons } = open(file);
    expect(reasons).toHaveLength(1);
    expect(existsSync(`${file}.set-aside`)).toBe(true);
    expect([folds.appliedPosition, folds.logId]).toEqual([0, null]);
    await folds.apply(log.frames, log.logIdHex);
    expect(snapshot(folds, 'acme', 'e')).toBe('{"x":1}');
  });

  it('is emptied by a reset, for the log of another core', async () => {
    const [one, two] = [new LogWriter('one'), new LogWriter('two')];
    one.commit('acme', [{ type: 'a.b', entity: 'old' }]);
    two.commit('acme', [{ type: 'a.b', entity: 'new' }]);
    const { folds } = open(temporaryFile());
    await folds.apply(one.frames, one.logIdHex);
    await folds.reset();
    expect(folds.appliedPosition).toBe(0);
    await folds.apply(two.frames, two.logIdHex);
    expect((await listed(folds, '')).total).toBe(1);
    expect(folds.logId).toBe(two.logIdHex);
  });

  it('that turns out damaged while it is read is replaced, and what was in memory is let go', async () => {
    const { log, file } = await damagedStore();
    const { folds } = open(file);
    expect(() => snapshot(folds, 'acme', 'e7')).toThrow(/malformed|corrupt/);
    expect([folds.appliedPosition, folds.logId]).toEqual([0, null]);
    await folds.apply(log.frames, log.logIdHex);
    expect((await listed(folds, '')).total).toBe(400);
  });

  it('that turns out damaged while frames are folded is replaced, and the frames are refused', async () => {
    const { log, file } = await damagedStore();
    const { folds, reasons } = open(file);
    const again = log.commit('acme', [{ type: 'a.b', entity: 'e7' }]);
    await expect(folds.apply([again], log.logIdHex)).rejects.toThrow(/malformed|corrupt/);
    expect([reasons.length, folds.appliedPosition]).toEqual([1, 0]);
    await folds.apply(log.frames, log.logIdHex);
    expect((await listed(folds, '')).total).toBe(400);
  });

  it('shows what was saved since, also where the lookups before were broken off', async () => {
    const log = new LogWriter();
    for (let i = 1; i <= 2; i++)
      log.commit('acme', [{ type: 'a.b', entity: 'e', payload: `{"x":${i}}` }]);
    const { folds, store } = open(temporaryFile());
    const saved = () => store.state(entitySnapshots, 'acme', { key: 'e' })?.state;
    const seen = [saved()];
    for (const frame of log.frames) {
      const broken = () =>
        store.reading(() => {
          seen.push(saved());
          throw new RangeError('broken off');
        });
      expect(broken).toThrow('broken off');
      await folds.apply([frame], log.logIdHex);
      await listed(folds, '');
      seen.push(store.reading(saved));
    }
    expect(seen).toEqual([undefined, undefined, '{"x":1}', '{"x":1}', '{"x":2}']);
  });

  it('that turns out damaged while it is saved is replaced when the save has ended', async () => {
    const { log, file } = await damagedStore();
    const { folds, store, reasons } = open(file);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    const state = { projection: entitySnapshots, tenant: 'acme', key: 'a-new', state: '{}' };
    const change = { position: positionOf(401), logId: log.logIdHex, states: [state] };
    const saving = store.save({ ...change, textBytes: new Map() });
    const ended = Promise.allSettled([saving]);
    await sleep(50);
    expect(() => snapshot(folds, 'acme', 'e7')).toThrow(/malformed|corrupt/);
    expect([reasons.length, store.position]).toEqual([0, 400]);
    other.exec('COMMIT');
    other.close();
    await ended;
    await expect(saving).rejects.toThrow(/malformed|corrupt|replaced/);
    expect([reasons.length, store.position, folds.appliedPosition]).toEqual([1, 0, 0]);
    await folds.apply(log.frames, log.logIdHex);
    expect((await listed(folds, '')).total).toBe(400);
  });

  it('that was replaced after a save loses nothing of the saves after it, in a crash either', async () => {
    const [one, two] = [new LogWriter('one'), new LogWriter('two')];
    one.commit('acme', [{ type: 'a.b', entity: 'old' }]);
    for (const entity of ['new', 'newer']) two.commit('acme', [{ type: 'a.b', entity }]);
    const file = temporaryFile();
    const { folds } = open(file);
    await folds.apply(one.frames, one.logIdHex);
    await listed(folds, '');
    await folds.reset();
    for (const frame of two.frames) {
      await folds.apply([frame], two.logIdHex);
      await listed(folds, '');
    }
    const after = open(crashedCopy(file));
    expect(after.folds.appliedPosition).toBe(2);
    expect((await listed(after.folds, '')).total).toBe(2);
  });

  it('that cannot be written keeps what is in memory and loses nothing', async () => {
    const log = new LogWriter();
    for (let i = 0; i < 3; i++) log.commit('acme', [{ type: 'a.b', entity: 'e' }]);
    const { folds, store } = open(temporaryFile());
    await folds.apply(log.frames.slice(0, 2), log.logIdHex);
    const save = store.save.bind(store);
    store.save = () => Promise.reject(new RangeError('the disk is full'));
    await expect(listed(folds, '')).rejects.toThrow('the disk is full');
    await folds.apply(log.frames.slice(2), log.logIdHex);
    expect(folds.state(eventCounters, 'acme', 'a.b')?.state).toBe('{"count":3}');
    store.save = save;
    expect((await listed(folds, '')).total).toBe(1);
    expect(store.position).toBe(3);
  });
});
