import { listMember, optionalText, textMember, type WireObject } from '../http/wire.ts';

/** A projection that the store keeps. */
export interface ProjectionInfo {
  readonly name: string;
  readonly type: string | null;
  /** `running`, `paused`, `rebuilding`, ... */
  readonly status: string | null;
  readonly description: string | null;
}

/** Reads the answer of `GET /api/v1/projections`. */
export function parseProjections(answer: WireObject): ProjectionInfo[] {
  return listMember(answer, 'projections').map(parseProjection);
}

/** Reads one projection. */
export function parseProjection(row: WireObject): ProjectionInfo {
  return {
    name: textMember(row, 'name'),
    type: optionalText(row, 'type') ?? optionalText(row, 'kind'),
    status: optionalText(row, 'status'),
    description: optionalText(row, 'description'),
  };
}
