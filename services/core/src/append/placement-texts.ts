import type { PlacementEvent } from './commit-builder.ts';
import type { EventTexts } from './event-texts.ts';

/** The texts of events that have been read one by one. */
export function textsOf(events: readonly PlacementEvent[]): EventTexts {
  const at = (index: number) => events[index] as PlacementEvent;
  return {
    count: events.length,
    typeAt: (index) => at(index).type,
    payloadAt: (index) => {
      const { buffer, byteOffset, byteLength } = at(index).payload;
      return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
    },
    placePayload: (index, place) => {
      place.bytes = at(index).payload;
      place.start = 0;
      place.end = place.bytes.length;
    },
  };
}
