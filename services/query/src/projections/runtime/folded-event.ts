import type { FrameEvent } from '@allsource/shared/protocol';
import type { FoldedEvent } from '../kinds/compiled-projection.ts';

/** An event of a frame as folds meet it. */
export function foldedEventOf(event: FrameEvent): FoldedEvent {
  const { metadata } = event;
  return {
    id: event.id,
    eventType: event.type,
    entityId: event.entity,
    tenant: event.frame.tenant,
    position: event.position,
    version: event.version,
    timestamp: event.timestamp,
    recordedAt: event.frame.recordedAt,
    payload: event.payload.toString('utf8'),
    metadata: metadata === null ? null : metadata.toString('utf8'),
  };
}
