/**
 * A log in memory, for tests and for trying things out: the semantics of the port and no durability at all. What a file keeps, a {@link MemoryLog}
 * keeps; stores over the same one are the successive writers of one log, so fencing and reopening can be shown.
 */
import { randomBytes } from 'node:crypto';
import { assert } from '@allsource/shared/lang';
import {
  PARTITION_COUNT_DEFAULT,
  type Position,
  POSITION_ZERO,
  position,
} from '@allsource/shared/model';
import { type Frame, LOG_ID_BYTES } from '@allsource/shared/protocol';
import { headAfter, isNextAfter } from './frame-chain.ts';
import type {
  LogAnchor,
  LogHead,
  LogStore,
  ReplayOnOpen,
  StoreAppendOutcome,
} from './log-store.ts';
import { MissingAnchor } from './missing-anchor.ts';
import { missingPositionsProblem } from './missing-positions.ts';
import type { Stretch } from './stretch.ts';

export interface MemoryLogOptions {
  readonly partitionCount?: number;
  /** Eight bytes that name the log; random by default. */
  readonly logId?: Buffer;
}

/** What outlives a {@link MemoryLogStore}: the frames, the head and the count of writers so far. */
export class MemoryLog {
  readonly frames: Frame[] = [];
  head: LogHead;
  epoch = 0;

  constructor(options: MemoryLogOptions = {}) {
    this.head = {
      position: POSITION_ZERO,
      checksum: 0,
      logId: options.logId ?? randomBytes(LOG_ID_BYTES),
      partitionCount: options.partitionCount ?? PARTITION_COUNT_DEFAULT,
    };
  }
}

export class MemoryLogStore implements LogStore {
  readonly #log: MemoryLog;
  #state: 'new' | 'open' | 'closed' = 'new';
  #epoch = 0;

  constructor(log: MemoryLog = new MemoryLog()) {
    this.#log = log;
  }

  async open({ onFrame = () => undefined, after, durable }: ReplayOnOpen = {}): Promise<LogHead> {
    assert(this.#state === 'new', 'a store is opened once');
    if (durable !== undefined) requireFrames(this.#log.head, durable);
    const start = after === undefined ? 0 : indexBehind(this.#log, after);
    this.#state = 'open';
    this.#epoch = ++this.#log.epoch;
    for (const frame of this.#log.frames.slice(start)) onFrame(frame);
    return this.#log.head;
  }

  async append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    assert(this.#state === 'open', 'an append to an open store');
    const { head } = this.#log;
    if (this.#epoch !== this.#log.epoch || !isNextAfter(head, frames))
      return { kind: 'head_moved', head: head.position };
    for (const frame of frames) this.#log.frames.push(frame);
    this.#log.head = headAfter(head, frames);
    return { kind: 'appended' };
  }

  read(from: Position): AsyncIterable<Stretch> {
    assert(this.#state === 'open', 'a read of an open store');
    assert(from >= 1, 'positions begin at 1');
    return stretchesBetween(this.#log.frames, { from, head: this.#log.head.position });
  }

  async close(): Promise<void> {
    this.#state = 'closed';
  }
}

async function* stretchesBetween(
  frames: readonly Frame[],
  range: { readonly from: Position; readonly head: Position },
): AsyncGenerator<Stretch> {
  if (range.from > range.head) return;
  for (let i = indexHolding(frames, range.from); i < frames.length; i++) {
    const frame = frames[i];
    if (frame === undefined || frame.position > range.head) return;
    yield [frame];
  }
}

function requireFrames(head: LogHead, durable: LogAnchor): void {
  if (!durable.logId.equals(head.logId) || durable.position <= head.position) return;
  throw missingPositionsProblem({
    before: null,
    after: null,
    firstPosition: position(head.position + 1),
    lastPosition: durable.position,
  });
}

/** The index of the frame behind an anchor. */
function indexBehind({ frames, head }: MemoryLog, anchor: LogAnchor): number {
  if (!anchor.logId.equals(head.logId)) throw new MissingAnchor(anchor, 'it is of another log');
  const index = indexHolding(frames, anchor.position);
  const frame = frames[index];
  if (frame?.lastPosition === anchor.position && frame.checksum === anchor.checksum)
    return index + 1;
  throw new MissingAnchor(anchor, 'another frame is there, or none');
}

/** The index of the last frame that starts at or before the position. */
function indexHolding(frames: readonly Frame[], at: Position): number {
  let low = 0;
  let high = frames.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((frames[middle] as Frame).position <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
