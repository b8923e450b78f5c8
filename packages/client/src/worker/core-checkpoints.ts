/**
 * Checkpoints in core's key-value store, under the projection `<worker>.checkpoint`. A small state stands in the row `checkpoint` itself:
 *
 *     checkpoint           {"position": 1042, "state": {...}}
 *
 * A larger one is cut into texts, for a row holds at most 1 MiB:
 *
 *     checkpoint           {"position": 1042, "parts": 3}
 *     part.0 ... part.2    "..."
 *
 * All rows of a checkpoint are saved in one call, which core takes as a whole or not at all. Parts of an older, larger checkpoint stay and are not read.
 */
import type { CoreClient } from '../core/core-client.ts';
import { badAnswer } from '../http/allsource-error.ts';
import type { CallOptions } from '../http/connection.ts';
import { isRecord } from '../http/is-record.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.ts';
import { jsonOfState } from './state-json.ts';

const ROW = 'checkpoint';
/** A character takes at most three bytes, so that a part stays below 1 MiB. */
const PART_CHARACTERS_MAX = 256 * 1024;

/**
 * Keeps checkpoints in core, for states of up to some 15 MB of JSON. It is what a worker does if it is given no other store.
 *
 * @example
 * ```ts
 * const checkpoint = await coreCheckpoints(core).load('totals');
 * console.log(checkpoint?.position, checkpoint?.state);
 * ```
 */
export function coreCheckpoints<Events extends object>(core: CoreClient<Events>): CheckpointStore {
  return {
    load: (name, options = {}) => load(core, name, options),
    save: async (name, checkpoint, options = {}) => {
      await core.bulkPutProjectionStates(projectionOf(name), rowsOf(checkpoint), options);
    },
  };
}

function projectionOf(worker: string): string {
  return `${worker}.checkpoint`;
}

function rowsOf({ position, state }: Checkpoint): { entityId: string; state: unknown }[] {
  const text = jsonOfState(state);
  if (text.length <= PART_CHARACTERS_MAX) return [{ entityId: ROW, state: { position, state } }];
  const parts: { entityId: string; state: unknown }[] = [];
  for (let at = 0; at < text.length; ) {
    const end = cutBefore(text, at + PART_CHARACTERS_MAX);
    parts.push({ entityId: partId(parts.length), state: text.slice(at, end) });
    at = end;
  }
  return [{ entityId: ROW, state: { position, parts: parts.length } }, ...parts];
}

/** A cut between two characters: half of a surrogate pair is no text. */
function cutBefore(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return at < text.length && code >= 0xd800 && code <= 0xdbff ? at - 1 : at;
}

function partId(index: number): string {
  return `part.${index}`;
}

async function load<Events extends object>(
  core: CoreClient<Events>,
  name: string,
  options: CallOptions,
): Promise<Checkpoint | null> {
  const row = await core.getProjectionState(projectionOf(name), ROW, options);
  if (row === undefined) return null;
  if (!isRecord(row) || typeof row['position'] !== 'number')
    throw badAnswer(`'${projectionOf(name)}' holds no checkpoint`);
  const { position, parts } = row;
  if (typeof parts !== 'number') return { position, state: row['state'] };
  const ids = Array.from({ length: parts }, (_, index) => partId(index));
  const saved = await core.bulkGetProjectionStates(projectionOf(name), ids, options);
  return { position, state: JSON.parse(saved.map(({ state }) => String(state)).join('')) };
}
