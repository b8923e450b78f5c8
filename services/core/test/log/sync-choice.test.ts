import { describe, expect, test } from '@jest/globals';
import { SyncChoice } from '../../src/log/sync-choice.ts';

const SMALL = { frames: 1, bytes: 400 };
const CROWD = { frames: 3, bytes: 1200 };

/** A disk that takes as long as is said. */
function choiceOn(disk: { syncMs: number }) {
  let nowMs = 0;
  const choice = new SyncChoice(() => nowMs);
  return (group: { frames: number; bytes: number }): 'blocks' | 'pool' => {
    const blocks = choice.begin(group);
    nowMs += disk.syncMs;
    choice.end();
    return blocks ? 'blocks' : 'pool';
  };
}

describe('a sync', () => {
  test('blocks for one client or two', () => {
    const sync = choiceOn({ syncMs: 0.1 });
    expect([sync(SMALL), sync({ frames: 2, bytes: 800 }), sync(SMALL)]).toEqual([
      'blocks',
      'blocks',
      'blocks',
    ]);
  });

  test('goes to the pool for more, and for the small groups between theirs', () => {
    const sync = choiceOn({ syncMs: 0.1 });
    const before = [sync(CROWD), sync(SMALL), sync(CROWD)];
    const after = Array.from({ length: 64 }, () => sync(SMALL));
    expect(before).toEqual(['pool', 'pool', 'pool']);
    expect(after.filter((way) => way === 'pool')).toHaveLength(63);
    expect(after.at(-1)).toBe('blocks');
  });

  test('goes to the pool for many bytes, and behind a slow one', () => {
    const disk = { syncMs: 0.1 };
    const sync = choiceOn(disk);
    expect(sync({ frames: 1, bytes: 16 * 1024 + 1 })).toBe('pool');
    disk.syncMs = 5;
    expect(sync(SMALL)).toBe('blocks');
    disk.syncMs = 0.1;
    expect([sync(SMALL), sync(SMALL)]).toEqual(['pool', 'blocks']);
  });
});
