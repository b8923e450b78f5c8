import { projectionPath } from '../query/projections.ts';
import { listMember, optionalNumber, textMember, type WireObject } from '../http/wire.ts';

/** The saved state of an entity of a projection. */
export interface ProjectionState<State = unknown> {
  readonly entityId: string;
  readonly state: State;
}

/** One page of the states of a projection. */
export interface ProjectionStatePage<State = unknown> {
  readonly states: readonly ProjectionState<State>[];
  /** How many there are in all. */
  readonly total: number;
  readonly hasMore: boolean;
}

export interface ListStatesParams {
  /** Only entities whose id begins so. */
  readonly entityIdPrefix?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

/** The path of the state of one entity. */
export function statePath(projection: string, entityId: string): string {
  return `${projectionPath(projection)}/${encodeURIComponent(entityId)}/state`;
}

/** Reads the state of one row; undefined when there is none. */
export function stateIn(row: WireObject): unknown {
  return row['found'] === false ? undefined : row['state'];
}

/** Reads rows of states; those that were not found are left out. */
export function parseStates(answer: WireObject): ProjectionState[] {
  return listMember(answer, 'states')
    .filter((row) => row['found'] !== false)
    .map((row) => ({ entityId: textMember(row, 'entity_id'), state: row['state'] ?? null }));
}

/** Reads one page of states. */
export function parseStatePage(answer: WireObject): ProjectionStatePage {
  const states = parseStates(answer);
  return {
    states,
    total: optionalNumber(answer, 'total') ?? states.length,
    hasMore: answer['has_more'] === true,
  };
}
