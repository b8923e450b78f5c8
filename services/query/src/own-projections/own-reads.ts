/**
 * Reads of the states of own projections. As all reads they see what was acknowledged before they began, unless the caller asks for less: a read waits until the build that
 * is read has applied core's head, and is answered `read_behind` with the lag when that takes too long or when nothing is being done about it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, position, quoted } from '@allsource/shared/model';
import {
  type ReadGate,
  type ReadWish,
  readWish,
  stampPosition,
  wayAround,
} from '../reads/read-gate.ts';
import type { ReadCall } from '../reads/read-call.ts';
import type {
  ProjectionRuntime,
  ProjectionStatus,
  ShownState,
} from '../projections/projection-runtime.ts';
import { tooManyKeys } from '../projections/list-states.ts';
import { requireStatesLength } from '../projections/states-length.ts';
import type { OwnProjection } from './own-projections.ts';

export interface OwnReadsOptions {
  readonly runtime: ProjectionRuntime;
  /** Knows what a read wants, and how long it may wait. */
  readonly gate: ReadGate;
}

/** Which states are wanted, in the order of their keys. */
export interface OwnPage {
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
  /** Only keys behind this one; null: from the first on. */
  readonly after: string | null;
}

export interface OwnStates {
  readonly states: readonly ShownState[];
  /** States with the prefix, those outside the page too. */
  readonly total: number;
  readonly hasMore: boolean;
}

/** Keys that are counted or passed over before others have their turn. */
const TURN_KEYS = 2_000;

/** Which keys are gone through: those behind one, at most so many. */
interface KeyWalk {
  readonly key_prefix: string;
  readonly after?: string | null;
  readonly keysMax?: number;
}

export class OwnReads {
  readonly #options: OwnReadsOptions;

  constructor(options: OwnReadsOptions) {
    this.#options = options;
  }

  /** The state of a key as JSON text; null where it has none. */
  async one(call: AdmittedCall, projection: OwnProjection, key: string): Promise<string | null> {
    const [state] = await this.some(call, projection, [key]);
    return state ?? null;
  }

  /** The states of some keys, in their order. Up to 500 are all true at one position; of more, the later ones may be newer. */
  async some(
    call: AdmittedCall,
    projection: OwnProjection,
    keys: readonly string[],
  ): Promise<(string | null)[]> {
    await this.#admit(call, projection);
    const { tenant, name } = projection.definition;
    const states: (string | null)[] = [];
    let characters = 0;
    for (let from = 0; from < keys.length || from === 0; from += LIMITS.statesAtOnce) {
      if (from > 0) await nextTurn();
      const some = keys.slice(from, from + LIMITS.statesAtOnce);
      const read = some.map((key) => this.#options.runtime.read(tenant, name, key));
      if (from === 0) stamp(call, read[0]?.position ?? this.#position(projection));
      for (const { state } of read) {
        characters += state?.length ?? 0;
        requireStatesLength(characters);
        states.push(state);
      }
    }
    return states;
  }

  /**
   * A page of states. It is true at the position of the answer or, in its later part, behind it: others have their turn while it is read. It ends early where its
   * text would be too long. Throws `query_budget_exceeded` when there are too many keys to count or to pass over.
   */
  async page(call: AdmittedCall, projection: OwnProjection, page: OwnPage): Promise<OwnStates> {
    await this.#admit(call, projection);
    const { runtime } = this.#options;
    const { tenant, name } = projection.definition;
    const { keyPrefix: key_prefix } = page;
    stamp(call, runtime.page(tenant, name, { limit: 0 }).position);
    const states: ShownState[] = [];
    let characters = 0;
    let { after, offset } = page;
    const counted = key_prefix === '' ? runtime.count(tenant, name) : null;
    const total = counted ?? (await this.#walk(projection, { key_prefix })).keys;
    if (offset > LIMITS.statesAtOnce) {
      const passed = await this.#walk(projection, { key_prefix, after, keysMax: offset });
      if (passed.keys < offset) return { states, total, hasMore: false };
      after = passed.last;
      offset = 0;
    }
    for (let isFirst = true; states.length < page.limit || isFirst; isFirst = false) {
      const limit = Math.min(LIMITS.statesAtOnce, page.limit - states.length);
      const part = runtime.page(tenant, name, {
        key_prefix,
        after: after ?? undefined,
        limit,
        offset,
      });
      for (const row of part.states) {
        characters += row.key.length + row.state.length;
        if (states.length > 0 && characters > LIMITS.statesPageCharactersMax)
          return { states, total, hasMore: true };
        states.push(row);
      }
      if (part.states.length < limit) return { states, total, hasMore: false };
      after = states.at(-1)?.key ?? null;
      offset = 0;
      await nextTurn();
    }
    if (page.after === null) return { states, total, hasMore: page.offset + states.length < total };
    const behindLast = { key_prefix, after: states.at(-1)?.key ?? page.after, limit: 1 };
    const hasMore = runtime.page(tenant, name, behindLast).states.length > 0;
    return { states, total, hasMore };
  }

  /** Goes through keys in their order, in turns. Returns how many there were, and the last one. */
  async #walk(
    { definition: { tenant, name } }: OwnProjection,
    { key_prefix, after = null, keysMax = Number.POSITIVE_INFINITY }: KeyWalk,
  ): Promise<{ readonly keys: number; readonly last: string | null }> {
    const endsAt = performance.now() + LIMITS.stateListMsMax;
    let [count, last] = [0, after];
    for (;;) {
      const limit = Math.min(TURN_KEYS, keysMax - count);
      const wanted = { key_prefix, after: last ?? undefined, limit };
      const { keys } = this.#options.runtime.keys(tenant, name, wanted);
      count += keys.length;
      last = keys.at(-1) ?? last;
      if (keys.length < TURN_KEYS) return { keys: count, last };
      if (performance.now() > endsAt) throw tooManyKeys(count);
      await nextTurn();
    }
  }

  #position({ definition: { tenant, name } }: OwnProjection): number {
    return this.#options.runtime.status(tenant, name)?.position ?? 0;
  }

  async #admit(call: AdmittedCall, projection: OwnProjection): Promise<void> {
    const { gate, runtime } = this.#options;
    const { tenant, name } = projection.definition;
    const wish = readWish(call.query);
    const wanted = await gate.wantedPosition(wish);
    if (wanted === null || (runtime.status(tenant, name)?.position ?? -1) >= wanted) return;
    const signal = AbortSignal.timeout(gate.waitMs);
    if (!(await runtime.waitFor(tenant, name, wanted, signal)))
      throw behind(projection, { wanted, wish, runtime });
  }
}

type AdmittedCall = Pick<ReadCall, 'query' | 'response'>;

function stamp(call: AdmittedCall, at: number): void {
  stampPosition(call, position(at));
}

/** What helps, as the beginning of a sentence: nobody moves one that was halted but its owner. */
function waysOut(status: ProjectionStatus | 'starting'): string {
  if (status === 'failed') return 'Mend what is wrong and start it again (POST .../start)';
  const isHalted = status === 'created' || status === 'paused' || status === 'stopped';
  return isHalted ? 'Start it (POST .../start)' : 'Try again';
}

function behind(
  { definition: { tenant, name } }: OwnProjection,
  {
    wanted,
    wish,
    runtime,
  }: { readonly wanted: Position; readonly wish: ReadWish; readonly runtime: ProjectionRuntime },
): Error {
  const state = runtime.status(tenant, name);
  const applied = state?.position ?? 0;
  const reason = state?.failure ?? state?.stalled_reason ?? null;
  const because = reason === null ? '' : ` ${reason}.`;
  const status = state?.status ?? 'starting';
  return problem(
    'read_behind',
    `The projection ${quoted(name)} (${status}) is at position ${applied} and did not reach ${wanted}.${because} ` +
      `${waysOut(status)}, or ${wayAround(wish)}.`,
    {
      applied_position: applied,
      wanted_position: wanted,
      lag: wanted - applied,
      lag_seconds: state?.lag_seconds ?? null,
      projection_status: status,
    },
  );
}
