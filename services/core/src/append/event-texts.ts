import type { PlacementEvent } from './commit-builder.ts';

/** The events of a request as a check looks at them before they are placed: one by one, and only at what it asks for. */
export interface EventTexts {
  readonly count: number;
  typeAt(index: number): string;
  /** The JSON text of the payload. */
  payloadAt(index: number): string;
}

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
  };
}
