/** What others see while the built-in projections fold and save: whole frames, a loop that turns, and no writing that holds them up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups } from '@allsource/testkit';
import Database from 'better-sqlite3';
import { BUILT_IN_PROJECTIONS } from '../../src/projections/built-in.ts';
import { entitySnapshots } from '../../src/projections/entity-snapshots.ts';
import { eventCounters } from '../../src/projections/event-counters.ts';
import { ProjectionFolds } from '../../src/projections/projection-folds.ts';
import { ProjectionStore } from '../../src/projections/projection-store.ts';
import { LogWriter } from './log-writer.ts';

const FRAME_EVENTS = 10_000;

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

function open() {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-projections-'));
  const file = join(folder, 'projections.sqlite');
  const store = new ProjectionStore({ file, nowMs: () => 1_700_000_000_000, onSetAside: () => {} });
  const folds = new ProjectionFolds({
    store,
    projections: BUILT_IN_PROJECTIONS,
    onFolded: () => {},
    onSaveFailed: () => {},
  });
  cleanups.add(() => rmSync(folder, { recursive: true }));
  cleanups.add(async () => {
    await folds.close();
    await store.close();
  });
  return { file, store, folds };
}

function filledLog(frames: number, eventsAFrame: number): LogWriter {
  const log = new LogWriter();
  for (let frame = 0; frame < frames; frame++)
    log.commit(
      'acme',
      Array.from({ length: eventsAFrame }, (_, i) => ({
        type: 'a.b',
        entity: `e${i}`,
        payload: `{"frame":${frame}}`,
      })),
    );
  return log;
}

/** Runs `look` at every turn until the work is done. Returns how often. */
async function lookWhile(
  work: Promise<unknown>,
  look: () => Promise<void> | void,
): Promise<number> {
  let looks = 0;
  const state = { isDone: false };
  const done = work.finally(() => {
    state.isDone = true;
  });
  while (!state.isDone) {
    await look();
    looks += 1;
    await nextTurn();
  }
  await done;
  return looks;
}

describe('while large frames are folded', () => {
  it('others have turns, and who waits for whole frames never sees a part of one', async () => {
    const { folds } = open();
    const frames = 4;
    const log = filledLog(frames, FRAME_EVENTS);
    const seen = new Set<number>();
    const turns = await lookWhile(folds.apply(log.frames, log.logIdHex), async () => {
      const [position, count, ...states] = await folds.whole(() => [
        folds.appliedPosition,
        folds.state(eventCounters, 'acme', 'a.b')?.state ?? '{"count":0}',
        ...['e0', `e${FRAME_EVENTS - 1}`].map(
          (entity) => folds.state(entitySnapshots, 'acme', entity)?.state,
        ),
      ]);
      const whole = Number(position) / FRAME_EVENTS;
      seen.add(whole);
      expect(count).toBe(`{"count":${position}}`);
      const state = whole === 0 ? undefined : `{"frame":${whole - 1}}`;
      expect(states).toEqual([state, state]);
    });
    expect([...seen].every(Number.isInteger)).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(frames);
    const inFrame = await lookWhile(
      folds.apply([log.commit('acme', manyEvents())], log.logIdHex),
      () => {},
    );
    expect(inFrame).toBeGreaterThan(2);
  });

  it('nothing is folded on over a file that was replaced meanwhile', async () => {
    const { folds, store } = open();
    const log = filledLog(3, FRAME_EVENTS);
    let looks = 0;
    const applied = folds.apply(log.frames, log.logIdHex);
    const ended = Promise.allSettled([applied]);
    await lookWhile(ended, () => {
      looks += 1;
      if (looks === 2) store.reset();
    });
    await expect(applied).rejects.toMatchObject({ code: 'read_behind' });
    expect(folds.appliedPosition).toBe(0);
    expect(folds.state(entitySnapshots, 'acme', 'e0')).toBeNull();
    await folds.apply(log.frames, log.logIdHex);
    expect(folds.state(eventCounters, 'acme', 'a.b')?.state).toBe(`{"count":${3 * FRAME_EVENTS}}`);
  });
});

describe('while what was folded is saved', () => {
  it('another connection that writes holds up the save and nobody else', async () => {
    const { file, folds, store } = open();
    const log = filledLog(1, FRAME_EVENTS);
    await folds.apply(log.frames, log.logIdHex);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    const list = folds.list({
      projection: entitySnapshots,
      tenant: 'acme',
      keyPrefix: '',
      limit: 1,
      offset: 0,
    });
    let looks = 0;
    const positions = new Set<number>();
    await lookWhile(list, async () => {
      expect(folds.state(entitySnapshots, 'acme', 'e7')?.state).toBe('{"frame":0}');
      looks += 1;
      if (looks < 50) positions.add(store.position);
      if (looks === 50) other.exec('COMMIT');
    });
    expect(positions).toEqual(new Set([0]));
    other.close();
    expect(await list).toMatchObject({ total: FRAME_EVENTS, position: FRAME_EVENTS });
  });
});

function manyEvents() {
  return Array.from({ length: 2 * FRAME_EVENTS }, (_, i) => ({ type: 'a.b', entity: `n${i}` }));
}
