/**
 * The event object that clients see, printed from a frame without parsing: payload and metadata are the client's own bytes.
 *
 *     {"id","event_type","entity_id","tenant_id","payload","timestamp","metadata"|null,"version","recorded_at"}
 */
import { formatTimestamp } from '../model/timestamp.ts';
import type { FrameEvent } from './frame.ts';

/** The members of an event's JSON object without the braces, so that callers can put members of their own before them. */
export function eventMembersJson(event: FrameEvent): string {
  const { frame } = event;
  return (
    `"id":"${event.id}","event_type":"${event.type}","entity_id":${JSON.stringify(event.entity)},"tenant_id":"${frame.tenant}",` +
    `"payload":${event.payload.toString('utf8')},"timestamp":"${formatTimestamp(event.timestamp)}",` +
    `"metadata":${event.metadata?.toString('utf8') ?? 'null'},"version":${event.version},"recorded_at":"${formatTimestamp(frame.recordedAt)}"`
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
