import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, constants } from 'node:os';
import { platform } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { reportNotTested } from '@allsource/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startProgram } from '../../src/processes/start-program.ts';
import { watchForStarvation } from '../../src/processes/starvation.ts';

const { PRIORITY_LOW, PRIORITY_NORMAL } = constants.priority;
const RULE = { lookEveryMs: 50, judgedOverMs: 1_000, readyShareMin: 0.9, ranShareMin: 0.05 };

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function started(name: string, priority: number): ChildProcess {
  const child = startProgram({ starter: import.meta, name, heapMibMax: 64, priority });
  children.push(child);
  return child;
}

function starvationOf({ pid = 0 }: ChildProcess): { readonly count: number; stop: () => void } {
  let count = 0;
  const stop = watchForStarvation({ pid, rule: RULE, onStarved: () => void (count += 1) });
  return {
    get count() {
      return count;
    },
    stop,
  };
}

if (platform !== 'linux') reportNotTested('programs that starve', 'not Linux');

(platform === 'linux' ? describe : describe.skip)('a program in leftover time', () => {
  it('starves where others take all the processors, which is told once', async () => {
    for (let i = 0; i < 2 * availableParallelism(); i++) started('turn', PRIORITY_NORMAL);
    const starvation = starvationOf(started('turn', PRIORITY_LOW));
    while (starvation.count === 0) await sleep(50);
    await sleep(2 * RULE.judgedOverMs);
    expect(starvation.count).toBe(1);
  });

  it('does not starve by waiting for something else than a processor, nor by having ended', async () => {
    const idle = started('wait', PRIORITY_LOW);
    // Its start takes processor time, of which a busy machine leaves it too little.
    await once(idle, 'message');
    const waiting = starvationOf(idle);
    const ended = started('wait', PRIORITY_LOW);
    const afterItsEnd = starvationOf(ended);
    ended.kill('SIGKILL');
    await sleep(3 * RULE.judgedOverMs);
    expect([waiting.count, afterItsEnd.count]).toEqual([0, 0]);
    waiting.stop();
  });
});
