import type { Call } from '@allsource/service-kit/http';
import { LIMITS } from '@allsource/shared/limits';
import type { WindowBounds } from '../catalog/sorted-window.ts';

/** Reads `limit` and `offset`. Without a limit the list goes to its end. */
export function windowParameters(call: Call): WindowBounds {
  return {
    limit: call.query.integer('limit', { min: 0, max: LIMITS.pageEventsMax }),
    offset: call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
  };
}

/** True when the list goes on behind the window. */
export function hasMoreBehind(window: WindowBounds, rows: number, total: number): boolean {
  return window.offset + rows < total;
}
