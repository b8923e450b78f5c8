/** What every route of analytics does with its call. */
import type { Call } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { ScanDesk } from '../analytics/scan-desk.ts';
import { type Pace, ReaderGone } from '@allsource/service-kit/turns';
import type { EventSelection } from '../history/event-history.ts';
import type { ReadGate } from '../reads/read-gate.ts';

/** Scans for a call; null when its reader has gone in the meantime, so that there is nobody to answer. */
export async function scanned<T>(
  { response }: Call,
  desk: ScanDesk,
  work: (pace: Pace) => Promise<T>,
): Promise<T | null> {
  try {
    return await desk.run(() => response.destroyed, work);
  } catch (error) {
    if (error instanceof ReaderGone) return null;
    throw error;
  }
}

/** Waits until the history is as new as the caller asks for, and names what the caller may see: its tenant and its time range. */
export async function admitted(
  call: Call,
  { gate }: { readonly gate: ReadGate },
): Promise<EventSelection> {
  const tenant = call.tenant();
  const since = call.query.timestamp('since') ?? undefined;
  const until = call.query.timestamp('until') ?? undefined;
  if (since !== undefined && until !== undefined && until < since) {
    throw problem('invalid_parameter', "'until' lies before 'since'.", { parameter: 'until' });
  }
  const untilPosition: Position = await gate.admit(call);
  return { tenant, since, until, untilPosition };
}

export function names(call: Call): Pick<EventSelection, 'entity' | 'type'> {
  return {
    entity: call.query.name('entity_id') ?? undefined,
    type: call.query.name('event_type') ?? undefined,
  };
}

export function required<T>(value: T | null, name: string): T {
  if (value !== null) return value;
  throw problem('invalid_parameter', `The parameter '${name}' is missing.`, { parameter: name });
}
