/**
 * The port between the read side's store of events and the reads, analytics and projections on top. Everything is scoped by tenant: there
 * is no way to ask across tenants. System events are not in it.
 */
import type { Position } from '@allsource/shared/model';
import type { EventRun } from './event-run.ts';
import type { EventSelection, StoredEvent } from './stored-event.ts';

export type { EventSelection, StoredEvent } from './stored-event.ts';

/** The rows of one run that a selection means, ascending. They may be shared with other searches: nobody changes them. */
export interface RunMatch {
  readonly run: EventRun;
  readonly rows: Uint32Array;
}

/** Stretches of rows that follow one another in an order that goes to and fro between runs. They are handed on together, for most may be of a single row. */
export type RowStretches = readonly RunMatch[];

/** Runs, each made when its turn comes: that may take a read of the disk. */
export interface Runs extends Iterable<EventRun> {
  readonly length: number;
}

export interface EventHistory {
  /** The position the history is true at: every event up to it is in, system events passed over. */
  readonly appliedPosition: Position;
  /**
   * The events selected, in position order, without holding them all at once. What is applied after the first event was asked for is
   * not among them.
   */
  select(selection: EventSelection): Iterable<StoredEvent>;
  /**
   * The same events as rows of runs, for folds that need only columns: counts, time buckets, latest events. Runs without a match are left
   * out. Between two runs the caller may pause and let others work; the runs stay as they were when the first was asked for.
   */
  matches(selection: EventSelection): Iterable<RunMatch>;
  /** The runs of this moment that may have what is selected, all without a selection, in position order, for searches that choose among them. */
  runs(selection?: EventSelection): Runs;
  /** How many runs there are at this moment. */
  readonly runCount: number;
  /** The event at a position, if it belongs to the tenant. */
  eventAt(tenant: string, position: Position): StoredEvent | null;
}
