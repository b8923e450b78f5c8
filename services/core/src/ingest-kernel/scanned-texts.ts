/** The texts of a scanned request, straight from the kernel's memory. They are read in their order, so what is found for one event mostly holds for the next. */
import { isAscii } from 'node:buffer';
import type { ScannedRequest } from '../append/commit-builder.ts';
import type { EventTexts } from '../append/event-texts.ts';
import { EVENT_BYTES, INPUT } from './kernel-memory.ts';

// Members of a record, in words of 32 bits; kernel/assembly/layout.ts draws it.
const WORDS = EVENT_BYTES / 4;
const TYPE_AT = 0;
const NAME_BYTES = 1;
const PAYLOAD_AT = 3;
const PAYLOAD_BYTES = 4;

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
  /** The whole input as one text when its bytes are its characters: cutting pieces off it copies nothing. Null: it is not; undefined: not known. */
  #input: string | null | undefined;

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
    this.#input ??= this.#asciiInput();
    if (this.#input !== null) return this.#input.substring(start, end);
    return this.#bytes.toString('utf8', INPUT + start, INPUT + end);
  }

  #asciiInput(): string | null {
    if (this.count === 1 || !isAscii(this.#bytes.subarray(INPUT, this.#inputEnd))) return null;
    return this.#bytes.toString('latin1', INPUT, this.#inputEnd);
  }
}
