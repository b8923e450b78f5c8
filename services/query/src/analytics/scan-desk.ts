import type { EventHistory } from '../history/event-history.ts';
import { EntityCountLists } from './entity-counts.ts';
import { EntityNumbers } from './entity-numbers.ts';
import { RunDigests } from './run-digest.ts';
import { type Pace, ScanTurns } from '@allsource/service-kit/turns';

/** What the scans of one history share: their turns, and what earlier scans have found out about its runs. */
export class ScanDesk {
  readonly history: EventHistory;
  readonly digests: RunDigests;
  readonly numbers: EntityNumbers;
  readonly counts = new EntityCountLists();
  readonly #turns: ScanTurns;

  constructor(
    history: EventHistory,
    {
      turns = new ScanTurns(),
      numbers = new EntityNumbers(),
    }: { turns?: ScanTurns; numbers?: EntityNumbers } = {},
  ) {
    this.history = history;
    this.digests = new RunDigests();
    this.numbers = numbers;
    this.#turns = turns;
  }

  /** Runs a scan when it is its turn. `isAbandoned` says whether its reader has gone. */
  run<T>(isAbandoned: () => boolean, work: (pace: Pace) => Promise<T>): Promise<T> {
    return this.#turns.run(isAbandoned, work);
  }
}
