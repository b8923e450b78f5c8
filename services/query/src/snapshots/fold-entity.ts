/**
 * Folds an entity's events into its state, from the newest snapshot that is safe, or from the first event.
 *
 * A snapshot changes no answer (I-33). A state is a left fold of the selected events in stream order (by version), and a snapshot is that fold of
 * ALL events 1..v. It is used only when the selection holds all of 1..v; then the fold of the selection is the fold of what is selected behind v,
 * laid over the snapshot. The selection holds all of 1..v exactly when v's position is at or below the position asked for, `timestamp_max`
 * of 1..v is at or below `as_of`, and `recorded_at` of v is at or below `as_of_recorded`. That is a comparison of kept maxima and
 * stays true for ever: 1..v never change, versions have no gaps, and `recorded_at` never decreases with the position. An event that is
 * back-dated gets a version behind v, so it is folded behind v with and without the snapshot, whatever its timestamp says; nothing has to be
 * invalidated.
 *
 * The runs are pinned in the turn in which the snapshot is chosen, so what is applied or emptied meanwhile does not mix in. Memory: four bytes for
 * each row selected, the state, and one payload. The event loop turns in between.
 */
import type {
  EventHistory,
  EventSelection,
  RunMatch,
  StoredEvent,
} from '../history/event-history.ts';
import { payloadAt } from '../history/row-text.ts';
import { type Micros, micros, type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Turns } from '@allsource/service-kit/turns';
import { EntityFold } from './entity-fold.ts';
import type { FoldedEvent, StoredSnapshot } from './snapshot.ts';

/** Which entity, and up to where. */
export interface EntityWanted {
  readonly tenant: string;
  readonly entity: string;
  /** Only events that happened at or before this instant; null = all. */
  readonly asOf: Micros | null;
  /** Only events that were recorded at or before this instant; null = all. */
  readonly asOfRecorded: Micros | null;
  readonly untilPosition: Position;
}

/** Where snapshots come from. */
export interface SnapshotSource {
  /** The newest snapshot that is safe for what is wanted; null when there is none. Does not wait. */
  safeFor(wanted: EntityWanted): StoredSnapshot | null;
  /** The members that a snapshot holds. */
  membersOf(snapshot: Pick<StoredSnapshot, 'stored'>, turns: Turns): Promise<Map<string, string>>;
}

export interface FoldOptions {
  readonly history: EventHistory;
  /** Null: from the first event. */
  readonly snapshots: SnapshotSource | null;
  readonly turns: Turns;
  /** True where the rows of all selected events are wanted, and not only those behind the snapshot. */
  readonly keepsRows: boolean;
  /** True for work in the background: nothing that is read is kept in memory for others. */
  readonly isPassing?: boolean;
  /** The payload to fold of an event; the stored one when left out. A snapshot, which is of stored ones, must not stand beside it. */
  readonly payloadOf?: ((event: StoredEvent) => Promise<Buffer>) | undefined;
}

/** What the selected events of an entity add up to. */
export interface FoldedEntity {
  readonly members: ReadonlyMap<string, string>;
  /** All selected events, those of the snapshot among them. */
  readonly eventCount: number;
  readonly last: FoldedEvent;
  readonly timestampMax: Micros;
  /** How many events were read to come here. */
  readonly eventsRead: number;
  /** The rows of the selected events in stream order: all with `keepsRows`, otherwise those behind the snapshot. */
  readonly matches: readonly RunMatch[];
}

/** Folds an entity. Null when no event is selected. Throws `payload_too_large` where its state passes the limit. */
export async function foldEntity(
  wanted: EntityWanted,
  { history, snapshots, turns, keepsRows, isPassing, payloadOf }: FoldOptions,
): Promise<FoldedEntity | null> {
  const base = snapshots?.safeFor(wanted) ?? null;
  const after = base?.last.position ?? POSITION_ZERO;
  const afterPosition = keepsRows ? POSITION_ZERO : after;
  const selecting = { ...wanted, afterPosition, isPassing };
  const matches = await selectRows(history, selecting, turns);
  const behind = keepsRows ? matches.map((match) => rowsBehind(match, after)) : matches;
  const members = base === null ? undefined : await snapshots?.membersOf(base, turns);
  const folded = await foldRows(behind, { fold: new EntityFold(members), turns, payloadOf });
  const last = folded.last ?? base?.last ?? null;
  if (last === null) return null;
  return {
    members: folded.members,
    eventCount: (base?.last.version ?? 0) + folded.count,
    last,
    timestampMax: micros(Math.max(base?.timestampMax ?? folded.timestampMax, folded.timestampMax)),
    eventsRead: folded.count,
    matches,
  };
}

interface Selecting extends EntityWanted {
  readonly afterPosition: Position;
  readonly isPassing: boolean | undefined;
}

/** Not before the first wait is the history asked anything later than in the turn of the call. */
async function selectRows(
  history: EventHistory,
  { asOf, asOfRecorded, ...selecting }: Selecting,
  turns: Turns,
): Promise<RunMatch[]> {
  const until = asOf ?? undefined;
  const selection: EventSelection = { ...selecting, until };
  const found: RunMatch[] = [];
  for (const match of history.matches(selection)) {
    const recorded = asOfRecorded === null ? match : rowsRecordedUntil(match, asOfRecorded);
    if (recorded.rows.length > 0) found.push(recorded);
    if (recorded.rows.length < match.rows.length) break;
    if (turns.isTurnOver) await turns.nextTurn();
  }
  return found;
}

/** The rows up to an instant of the recorded clock, which never runs backwards along the rows. */
function rowsRecordedUntil({ run, rows }: RunMatch, until: Micros): RunMatch {
  const { recordedAts } = run.source;
  const end = firstIndex(rows, (row) => (recordedAts[row] as number) > until);
  return { run, rows: rows.subarray(0, end) };
}

function rowsBehind({ run, rows }: RunMatch, after: Position): RunMatch {
  const first = run.rowsUntil(after);
  return { run, rows: rows.subarray(firstIndex(rows, (row) => row >= first)) };
}

/** The index of the first row for which `isIn` holds, where it holds for all later ones too. */
function firstIndex(rows: Uint32Array, isIn: (row: number) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isIn(rows[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

interface FoldedRows {
  readonly members: ReadonlyMap<string, string>;
  readonly count: number;
  readonly last: FoldedEvent | null;
  readonly timestampMax: number;
}

async function foldRows(
  matches: readonly RunMatch[],
  { fold, turns, payloadOf }: { fold: EntityFold } & Pick<FoldOptions, 'turns' | 'payloadOf'>,
): Promise<FoldedRows> {
  let count = 0;
  let timestampMax = Number.MIN_SAFE_INTEGER;
  let last: FoldedEvent | null = null;
  for (const { run, rows } of matches) {
    const { timestamps } = run.source;
    for (const row of rows) {
      fold.add(
        payloadOf === undefined ? payloadAt(run.source, row) : await payloadOf(run.event(row)),
      );
      timestampMax = Math.max(timestampMax, timestamps[row] as number);
      if (turns.isTurnOver) await turns.nextTurn();
    }
    count += rows.length;
    const lastRow = rows.at(-1);
    if (lastRow !== undefined) last = run.event(lastRow);
  }
  return { members: fold.members, count, last, timestampMax };
}
