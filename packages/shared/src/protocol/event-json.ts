/**
 * The event object that clients see, printed from a frame without parsing: payload and metadata are the client's own bytes.
 *
 *     {"id","event_type","entity_id","tenant_id","payload","timestamp","metadata"|null,"version","recorded_at"}
 */
import { formatTimestamp, type Micros } from '../model/timestamp.ts';
import type { FrameEvent } from './frame.ts';

/** What an event's JSON object says besides payload and metadata. */
export interface EventFacts {
  readonly id: string;
  readonly type: string;
  readonly entity: string;
  readonly tenant: string;
  readonly timestamp: Micros;
  readonly version: number;
  readonly recordedAt: Micros;
}

/** The members of an event's JSON object as text, cut where the raw payload and the raw metadata (or null) go. */
export interface EventJsonPieces {
  readonly beforePayload: string;
  readonly beforeMetadata: string;
  readonly afterMetadata: string;
}

/** Prints what stands around the payload and the metadata of an event's JSON object. */
export function eventJsonPieces(facts: EventFacts): EventJsonPieces {
  const timestamp = formatTimestamp(facts.timestamp);
  // Most events are recorded when they happen.
  const recordedAt =
    facts.recordedAt === facts.timestamp ? timestamp : formatTimestamp(facts.recordedAt);
  return {
    beforePayload: `"id":"${facts.id}","event_type":"${facts.type}","entity_id":${JSON.stringify(facts.entity)},"tenant_id":"${facts.tenant}","payload":`,
    beforeMetadata: `,"timestamp":"${timestamp}","metadata":`,
    afterMetadata: `,"version":${facts.version},"recorded_at":"${recordedAt}"`,
  };
}

/** The members of an event's JSON object without the braces, so that callers can put members of their own before them; with another payload, where one is given. */
export function eventMembersJson(
  event: FrameEvent,
  payload: string = event.payload.toString('utf8'),
): string {
  const { id, type, entity, timestamp, version, metadata } = event;
  const { tenant, recordedAt } = event.frame;
  const pieces = eventJsonPieces({ id, type, entity, tenant, timestamp, version, recordedAt });
  const { beforePayload, beforeMetadata, afterMetadata } = pieces;
  return (
    beforePayload +
    payload +
    beforeMetadata +
    (metadata?.toString('utf8') ?? 'null') +
    afterMetadata
  );
}

/** An event's JSON object. It has no `position` and no `type` member: live WebSocket clients tell frames apart by those. */
export function eventJson(event: FrameEvent): string {
  return `{${eventMembersJson(event)}}`;
}

/** An event's JSON object with its position as the first member. */
export function positionedEventJson(event: FrameEvent): string {
  return `{"position":${event.position},${eventMembersJson(event)}}`;
}
