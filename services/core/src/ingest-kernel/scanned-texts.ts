/** The texts of a scanned request, straight from the kernel's memory. They are read in their order, so what is found for one event mostly holds for the next. */
import { isAscii } from 'node:buffer';
import type { ScannedRequest } from '../append/commit-builder.ts';
import type { EventTexts, PayloadPlace } from '../append/event-texts.ts';
import { EVENT_BYTES, INPUT } from './kernel-memory.ts';

// Members of a record, in words of 32 bits; kernel/assembly/layout.ts draws it.
const WORDS = EVENT_BYTES / 4;
const TYPE_AT = 0;
const NAME_BYTES = 1;
const PAYLOAD_AT = 3;
const PAYLOAD_BYTES = 4;

const WINDOW_BYTES = 16 * 1024;

export interface ScannedTextsOptions {
  readonly bytes: Buffer;
  readonly eventTable: number;
  readonly request: ScannedRequest;
  readonly inputBytes: number;
}

export class ScannedTexts implements EventTexts {
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #records: Uint32Array;
  readonly #inputEnd: number;
  #type = '';
  #typeStart = 0;
  #isAscii: boolean | null = null;
  /** A piece of the input as text: cutting payloads off it copies nothing. */
  #window = '';
  #windowStart = 0;

  constructor({ bytes, eventTable, request, inputBytes }: ScannedTextsOptions) {
    this.count = request.eventCount;
    this.#bytes = bytes;
    this.#records = new Uint32Array(
      bytes.buffer,
      bytes.byteOffset + eventTable,
      this.count * WORDS,
    );
    this.#inputEnd = INPUT + inputBytes;
  }

  typeAt(index: number): string {
    const at = index * WORDS;
    const start = INPUT + (this.#records[at + TYPE_AT] as number);
    const length = (this.#records[at + NAME_BYTES] as number) & 0xffff;
    if (!this.#isSameType(start, length)) {
      this.#type = this.#bytes.toString('latin1', start, start + length);
      this.#typeStart = start;
    }
    return this.#type;
  }

  #isSameType(start: number, length: number): boolean {
    if (length !== this.#type.length) return false;
    const bytes = this.#bytes;
    const known = this.#typeStart;
    // The ends of types differ more often than their beginnings.
    for (let at = length - 1; at >= 0; at--)
      if (bytes[start + at] !== bytes[known + at]) return false;
    return true;
  }

  payloadAt(index: number): string {
    const at = index * WORDS;
    const start = this.#records[at + PAYLOAD_AT] as number;
    const end = start + (this.#records[at + PAYLOAD_BYTES] as number);
    if (!this.#isPlain || end - start > WINDOW_BYTES)
      return this.#bytes.toString('utf8', INPUT + start, INPUT + end);
    if (start < this.#windowStart || end > this.#windowStart + this.#window.length) {
      const windowEnd = Math.min(INPUT + start + WINDOW_BYTES, this.#inputEnd);
      this.#window = this.#bytes.toString('latin1', INPUT + start, windowEnd);
      this.#windowStart = start;
    }
    return this.#window.substring(start - this.#windowStart, end - this.#windowStart);
  }

  placePayload(index: number, place: PayloadPlace): void {
    const at = index * WORDS;
    place.bytes = this.#bytes;
    place.start = INPUT + (this.#records[at + PAYLOAD_AT] as number);
    place.end = place.start + (this.#records[at + PAYLOAD_BYTES] as number);
  }

  /** True when the bytes of the input are its characters. */
  get #isPlain(): boolean {
    this.#isAscii ??= this.count > 1 && isAscii(this.#bytes.subarray(INPUT, this.#inputEnd));
    return this.#isAscii;
  }
}
