/** Lists of states: windows into many, while others have their turns, and while the file is replaced. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { position as positionOf } from '@allsource/shared/model';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import { entitySnapshots } from '../../src/projections/entity-snapshots.ts';
import { eventCounters } from '../../src/projections/event-counters.ts';
import { type KeyRange, listStates } from '../../src/projections/list-states.ts';
import { ProjectionStore } from '../../src/projections/projection-store.ts';

const KEYS = 120_000;
const LOG_ID = '00'.repeat(16);
const NEVER = () => false;

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-state-lists-'));
  cleanups.add(() => rmSync(folder, { recursive: true }));
  return join(folder, 'projections.sqlite');
}

function open(file = temporaryFile()) {
  const reasons: string[] = [];
  const store = new ProjectionStore({
    file,
    nowMs: () => 1_700_000_000_000,
    onSetAside: (reason) => reasons.push(reason),
  });
  let closed: Promise<void> | null = null;
  const close = () => (closed ??= store.close());
  cleanups.add(close);
  return { store, reasons, file, close };
}

function keyOf(number: number): string {
  return `order-${String(number).padStart(7, '0')}`;
}

async function fill(store: ProjectionStore, keys: number): Promise<void> {
  const states = Array.from({ length: keys }, (_, i) => ({
    projection: entitySnapshots,
    tenant: 'acme',
    key: keyOf(i),
    state: `{"number":${i}}`,
  }));
  const others = [
    { projection: eventCounters, tenant: 'acme', key: keyOf(3), state: '{"count":1}' },
    { projection: entitySnapshots, tenant: 'globex', key: keyOf(3), state: '{"theirs":1}' },
  ];
  await store.save({
    position: positionOf(keys),
    logId: LOG_ID,
    states: [...states, ...others],
    textBytes: new Map(),
  });
}

function listOf(store: ProjectionStore, keyPrefix: string, limit: number, offset: number) {
  return store.list({ projection: entitySnapshots, tenant: 'acme', keyPrefix, limit, offset });
}

/** A table in memory with states that are all the same text. */
function tableOf(states: number, text: string) {
  return {
    countKeys: (_range: KeyRange, _max: number) => ({ keys: states, last: 'e9' }),
    states: () =>
      Array.from({ length: states }, (_, i) => ({ key: `e${i}`, state: JSON.stringify(text) })),
  };
}

describe('lists of many states', () => {
  it('are windows into the same order, whatever the offset and the prefix', async () => {
    const random = new SeededRandom(7);
    const { store } = open();
    await fill(store, KEYS);
    const offsets = [0, 49_999, 50_000, 50_001, 99_990, 100_000, KEYS - 1, KEYS, KEYS + 5];
    for (let i = 0; i < 20; i++) offsets.push(random.below(KEYS));
    for (const offset of offsets) {
      const limit = random.below(30);
      const { rows, count, total, position } = await listOf(store, '', limit, offset);
      const wanted = Array.from(
        { length: Math.max(0, Math.min(limit, KEYS - offset)) },
        (_, i) => ({
          entity_id: keyOf(offset + i),
          state: { number: offset + i },
        }),
      );
      expect(JSON.parse(`[${rows.toString()}]`)).toEqual(wanted);
      expect([count, total, position]).toEqual([wanted.length, KEYS, KEYS]);
    }
    const some = await listOf(store, 'order-0000', 2, 998);
    expect(JSON.parse(`[${some.rows.toString()}]`)).toEqual([
      { entity_id: keyOf(998), state: { number: 998 } },
      { entity_id: keyOf(999), state: { number: 999 } },
    ]);
    expect([some.count, some.total]).toEqual([2, 1_000]);
    expect(await listOf(store, 'nobody', 10, 0)).toMatchObject({ count: 0, total: 0 });
  });

  it('hold up nobody while they are counted', async () => {
    const { store } = open();
    await fill(store, KEYS);
    await listOf(store, '', 1, 0);
    const state = { isDone: false };
    const list = listOf(store, '', 10, KEYS - 20).finally(() => {
      state.isDone = true;
    });
    let turns = 0;
    while (!state.isDone) {
      expect(store.state(entitySnapshots, 'acme', { key: keyOf(turns) })).not.toBeNull();
      turns += 1;
      await nextTurn();
    }
    expect((await list).total).toBe(KEYS);
    // Counted on this thread it would be one turn or two.
    expect(turns).toBeGreaterThan(5);
  });

  it('end early where their text would be too long, with one state at least', () => {
    const large = 'x'.repeat(LIMITS.statesPageCharactersMax / 4);
    const window = { keyPrefix: '', limit: 10, offset: 0 };
    expect(listStates(tableOf(9, large), window, NEVER)).toMatchObject({ count: 3, total: 9 });
    const giant = tableOf(2, 'x'.repeat(LIMITS.statesPageCharactersMax));
    expect(listStates(giant, window, NEVER)).toMatchObject({ count: 1, total: 2 });
  });

  it('are refused when counting takes too long, with what to do', () => {
    const endless = {
      countKeys: (_range: KeyRange, max: number) => ({ keys: max, last: 'e' }),
      states: () => [],
    };
    let looks = 0;
    const isOver = () => ++looks === 3;
    expect(() => listStates(endless, { keyPrefix: '', limit: 1, offset: 0 }, isOver)).toThrow(
      /150000 were counted. Name a prefix/,
    );
  });

  it('are refused when too many are wanted at once, and taken again afterwards', async () => {
    const { store } = open();
    await fill(store, 10);
    const asked = Array.from({ length: LIMITS.stateListsMax + 2 }, () => listOf(store, '', 1, 0));
    const ended = await Promise.allSettled(asked);
    const refused = ended.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    expect(refused).toEqual([
      expect.objectContaining({ reason: expect.objectContaining({ code: 'overloaded' }) }),
      expect.objectContaining({ reason: expect.objectContaining({ code: 'overloaded' }) }),
    ]);
    expect((await listOf(store, '', 1, 0)).total).toBe(10);
  });
});

describe('a file that goes away under a list', () => {
  it('is said, where it was replaced by another one', async () => {
    const { store } = open();
    await fill(store, KEYS);
    const list = listOf(store, '', 1, 0);
    store.reset();
    await expect(list).rejects.toMatchObject({ code: 'read_behind' });
    expect((await listOf(store, '', 1, 0)).total).toBe(0);
  });

  it('is replaced, where the list finds it damaged', async () => {
    const before = open();
    await fill(before.store, 10_000);
    await before.close();
    const bytes = readFileSync(before.file);
    bytes.fill(0xff, bytes.length / 2);
    writeFileSync(before.file, bytes);
    const { store, reasons } = open(before.file);
    await expect(listOf(store, '', 1, 0)).rejects.toThrow(/malformed|corrupt/);
    expect([reasons.length, store.position]).toEqual([1, 0]);
    expect((await listOf(store, '', 1, 0)).total).toBe(0);
  });
});
