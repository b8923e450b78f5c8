/** The events of a request as a check looks at them before they are placed: one by one, and only at what it asks for. */
export interface EventTexts {
  readonly count: number;
  typeAt(index: number): string;
  /** The JSON text of the payload. */
  payloadAt(index: number): string;
  /** Says where the bytes of the payload lie. */
  placePayload(index: number, place: PayloadPlace): void;
}

/** Where a payload lies. Filled anew for each that is looked at. */
export class PayloadPlace {
  bytes: Uint8Array = new Uint8Array();
  start = 0;
  end = 0;
}
