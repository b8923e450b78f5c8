import { problem } from '@allsource/shared/errors';
import { isUuid, positionOfEventId, quoted } from '@allsource/shared/model';
import type { FrameEvent } from '@allsource/shared/protocol';
import type { DurableLog } from './durable-log.ts';
import type { FrameReader } from './frame-reader.ts';

/**
 * Finds an event of a tenant by its id, which carries its position. An event of another tenant, a system event and an id that nothing
 * bears are answered alike: `event_not_found`. Text that is no UUID is `invalid_parameter`.
 */
export async function findEvent(
  source: { readonly log: DurableLog; readonly frames: FrameReader },
  tenant: string,
  id: string,
): Promise<FrameEvent> {
  if (!isUuid(id)) {
    throw problem('invalid_parameter', `The event id ${quoted(id)} is not a UUID.`, {
      parameter: 'event_id',
    });
  }
  const at = positionOfEventId(id);
  if (at !== null && at <= source.log.head) {
    const event = await source.frames.eventAt(at);
    const { frame } = event;
    if (event.id === id.toLowerCase() && frame.tenant === tenant && !frame.isSystem) return event;
  }
  throw problem('event_not_found', `Event ${quoted(id)} not found`);
}
