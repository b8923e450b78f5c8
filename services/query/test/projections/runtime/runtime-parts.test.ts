import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { compileProjection } from '../../../src/projections/kinds/compile-projection.ts';
import { BuildFile } from '../../../src/projections/runtime/build-file.ts';
import { FairTurns } from '../../../src/projections/runtime/fair-turns.ts';
import { FoldedBuild } from '../../../src/projections/runtime/folded-build.ts';
import { foldedEventOf } from '../../../src/projections/runtime/folded-event.ts';
import { RecentFrames } from '../../../src/projections/runtime/recent-frames.ts';
import { StateCache } from '../../../src/projections/runtime/state-cache.ts';
import { TroubleLog } from '../../../src/projections/runtime/trouble-log.ts';
import { withFolder } from '../../support/temporary-folder.ts';
import { LogWriter } from '../log-writer.ts';

describe('the file of a worker', () => {
  it('is written by whoever opened it last, and by nobody else', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'one.sqlite');
      const log = new LogWriter();
      const [event] = [...log.commit('acme', [{ type: 't', entity: 'e' }]).events()].map(
        foldedEventOf,
      );
      if (event === undefined) throw new RangeError('a commit has an event');
      const compiled = await compileProjection({ type: 'event_counter', definition: {} });
      const open = (computes = 'the same') => {
        const opened = BuildFile.open({ file, computes });
        return { opened, build: new FoldedBuild({ file: opened, compiled, nowMs: () => 1 }) };
      };
      const first = open();
      first.build.fold(event);
      first.build.noteDone(event);
      const second = open();
      expect(() => first.build.save()).toThrow(/Another process/);
      expect(second.opened.progress()).toMatchObject({ folded: 0, shownRows: 0 });
      second.build.fold(event);
      second.build.noteDone(event);
      second.build.save();
      expect(second.opened.progress()).toMatchObject({ folded: 1, shownRows: 1 });
      const other = open('something else');
      expect(other.opened.progress()).toMatchObject({ folded: 0, shownRows: 0 });
      for (const { opened } of [first, second, other]) opened.close();
    });
  });
});

describe('states in memory', () => {
  it('keep nothing of an event whose fold throws half-way', () => {
    const kept = new Map([['a', '1']]);
    const states = new StateCache((key) => {
      const state = kept.get(key);
      return state === undefined ? null : { state, isShown: true };
    });
    states.set('a', 2);
    states.accept();
    states.set('a', 3);
    states.set('b', 4);
    states.delete('a');
    states.reject();
    expect([states.get('a'), states.get('b')]).toEqual([2, undefined]);
    expect([...states.changes()]).toEqual([{ key: 'a', value: 2, wasShown: true }]);
  });
});

describe('turns', () => {
  it('are given by the time that each has had: a slow one gets as much as a quick one, not as often', async () => {
    const turns = new FairTurns();
    const taken = { slow: 0, quick: 0 };
    const over = new AbortController();
    const work = async (who: keyof typeof taken, turnMs: number) => {
      for (const seat = turns.seat(); !over.signal.aborted; taken[who] += 1)
        await turns.next(seat, turnMs);
    };
    const both = [work('slow', 100), work('quick', 1)];
    while (taken.slow < 20) await nextTurn();
    over.abort();
    await Promise.all(both);
    expect(taken.quick / taken.slow).toBeGreaterThan(80);
    expect(taken.quick / taken.slow).toBeLessThan(120);
  });
});

describe('the newest frames', () => {
  it('give what is right behind a position, and say when they do not have it', () => {
    const log = new LogWriter();
    for (let i = 0; i < 11_000; i++)
      log.commit('acme', [
        { type: 't', entity: 'a' },
        { type: 't', entity: 'b' },
      ]);
    const frames = new RecentFrames(log.frames[0]?.lastPosition ?? (0 as never), log.logIdHex);
    expect(frames.after(2, log.logIdHex)).toEqual([]);
    expect(frames.after(1, log.logIdHex)).toBeNull();
    frames.apply(log.frames.slice(1), log.logIdHex);
    const first = (after: number) => frames.after(after, log.logIdHex)?.[0]?.position ?? null;
    expect(frames.after(2, log.logIdHex)).toBeNull();
    expect(first(2_000)).toBe(2_001);
    expect(first(21_998)).toBe(21_999);
    expect(frames.after(22_000, log.logIdHex)).toEqual([]);
    // Inside of a frame nothing begins.
    expect(frames.after(21_997, log.logIdHex)).toBeNull();
    expect(frames.after(21_998, 'another log')).toBeNull();
    frames.reset();
    expect(frames.after(21_998, log.logIdHex)).toBeNull();
  });
});

describe('the log of the service', () => {
  it('says once that a projection has failed or stands still, and that it goes on', () => {
    const said: unknown[] = [];
    const say = (level: string) => (facts: object, text: string) => said.push([level, facts, text]);
    const logger = { error: say('error'), warn: say('warn'), info: say('info') };
    const about = { tenant: 'acme', projection: 'orders' };
    const log = new TroubleLog(
      logger as unknown as ConstructorParameters<typeof TroubleLog>[0],
      about,
    );
    const troubles = [
      { failure: null, stalledReason: null },
      { failure: null, stalledReason: 'Core is away' },
      { failure: 'no number', stalledReason: 'Core is away' },
      { failure: null, stalledReason: null },
    ];
    for (const trouble of troubles) for (let look = 0; look < 3; look++) log.note(trouble);
    expect(said).toEqual([
      ['warn', { ...about, reason: 'Core is away' }, expect.stringContaining('no progress')],
      ['error', about, expect.stringContaining('has failed')],
      ['info', about, 'a projection goes on'],
    ]);
  });
});
