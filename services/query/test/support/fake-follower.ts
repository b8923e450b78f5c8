import { setTimeout as sleep } from 'node:timers/promises';
import { type Position, position } from '@allsource/shared/model';
import type { BlockHistory } from '../../src/history/block-history.ts';

/** The part of a follower that the read gate asks, with a head that the test sets. */
export interface FollowerPart {
  head: Position;
  coreHead(): Promise<Position>;
  waitFor(wanted: Position, timeoutMs: number): Promise<boolean>;
}

export function fakeFollower(history: BlockHistory, head: number): FollowerPart {
  return {
    head: position(head),
    async coreHead() {
      return this.head;
    },
    async waitFor(wanted, timeoutMs) {
      for (let waitedMs = 0; history.appliedPosition < wanted; waitedMs += 5) {
        if (waitedMs >= timeoutMs) return false;
        await sleep(5);
      }
      return true;
    },
  };
}
