import { formatTimestamp, micros } from '@allsource/shared/model';
import type { FrameEvent } from '@allsource/shared/protocol';
import { isObject } from '../definition/members.ts';
import type { Carried } from '../operators/carried.ts';
import type { OutputId } from './pipeline-file.ts';

/** The member of the metadata by which an event that a pipeline has written is known. */
const MARK = '_pipeline';
const MARK_BYTES = Buffer.from(`"${MARK}"`);

/** Where an event comes from that a pipeline has written. */
export interface EmissionMark extends OutputId {
  readonly id: string;
  readonly run: string;
  /** Pipelines that it has come through, this one counted. */
  readonly hops: number;
}

/** What is taken over of the metadata of the event behind an output. */
export interface Cause {
  readonly hops: number;
  readonly correlationId: string | null;
}

export const NO_CAUSE: Cause = { hops: 0, correlationId: null };

/** An event of the log, as it is appended, that a pipeline writes: the output with where it comes from in its metadata. */
export function emissionBody(
  output: Carried,
  as: {
    readonly eventType: string;
    readonly entityId: string;
    readonly mark: EmissionMark;
    readonly cause: Cause;
  },
): string {
  const { origin, text } = output;
  const metadata = {
    causation_id: origin.eventId,
    correlation_id: as.cause.correlationId ?? origin.eventId,
    [MARK]: as.mark,
  };
  return (
    `{"event_type":"${as.eventType}","entity_id":${JSON.stringify(as.entityId)},` +
    `"timestamp":"${formatTimestamp(micros(origin.timestamp))}",` +
    `"payload":${text},"metadata":${JSON.stringify(metadata)}}`
  );
}

/** What an event says of where it comes from. Events that no pipeline has written have come through none. */
export function causeOf(event: FrameEvent): Cause {
  const { metadata } = event;
  if (metadata === null) return NO_CAUSE;
  const value: unknown = JSON.parse(metadata.toString('utf8'));
  if (!isObject(value)) return NO_CAUSE;
  const correlation = value['correlation_id'];
  const correlationId =
    typeof correlation === 'string' && correlation.length <= 256 ? correlation : null;
  return { hops: markIn(value)?.hops ?? 0, correlationId };
}

/** The mark of an event that a pipeline has written; null for any other. */
export function emissionMark(event: FrameEvent): EmissionMark | null {
  const { metadata } = event;
  if (metadata === null || !metadata.includes(MARK_BYTES)) return null;
  const value: unknown = JSON.parse(metadata.toString('utf8'));
  return isObject(value) ? markIn(value) : null;
}

function markIn(metadata: Readonly<Record<string, unknown>>): EmissionMark | null {
  const mark = Object.hasOwn(metadata, MARK) ? metadata[MARK] : null;
  if (!isObject(mark)) return null;
  const { id, run, position, ordinal, hops } = mark;
  if (typeof id !== 'string' || typeof run !== 'string') return null;
  if (!isCount(position) || !isCount(ordinal) || !isCount(hops)) return null;
  return { id, run, position, ordinal, hops };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
