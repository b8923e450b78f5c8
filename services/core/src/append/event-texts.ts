/** The events of a request as a check looks at them before they are placed: one by one, and only at what it asks for. */
export interface EventTexts {
  readonly count: number;
  typeAt(index: number): string;
  /** The JSON text of the payload. */
  payloadAt(index: number): string;
}
