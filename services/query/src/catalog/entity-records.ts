import { must } from '@allsource/shared/lang';
import type { HashedName } from '../history/name-table.ts';

/**
 * What is kept of each entity, by its number, in one line of 64 bytes, so that an event touches one place of memory:
 *
 *     offset  size
 *     0       8     timestamp of its last event, microseconds as a double
 *     8       8     position of that event, as a double
 *     16      4     number of events
 *     20      4     type number of its last event
 *     24      4     bytes of its name
 *     28      36    its name; of one that is longer the place in the memory of long names, 4 bytes
 */
const RECORD_BYTES = 64;
const RECORD_DOUBLES = RECORD_BYTES / 8;
const RECORD_INTEGERS = RECORD_BYTES / 4;
const NAME_AT = 28;
const NAME_BYTES = RECORD_BYTES - NAME_AT;
const PAGE_BITS = 12;
const PAGE_ENTITIES = 1 << PAGE_BITS;
const LONG_NAME_CHUNK_BITS = 20;
const LONG_NAME_CHUNK_BYTES = 1 << LONG_NAME_CHUNK_BITS;

interface Page {
  /** The same memory in three ways. */
  readonly doubles: Float64Array;
  readonly integers: Uint32Array;
  readonly bytes: Buffer;
}

export class EntityRecords {
  readonly #pages: Page[] = [];
  readonly #longNames: Buffer[] = [];
  #longNameBytesUsed = LONG_NAME_CHUNK_BYTES;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Bytes of memory held, without the overhead of the engine. */
  get bytes(): number {
    const longNames = this.#longNames.reduce((sum, chunk) => sum + chunk.length, 0);
    return this.#pages.length * PAGE_ENTITIES * RECORD_BYTES + longNames;
  }

  /** Makes the record of a name that has none. Returns its number. */
  add({ bytes, start, end }: HashedName): number {
    const number = this.#count++;
    if (number >>> PAGE_BITS === this.#pages.length) this.#pages.push(newPage());
    const page = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    const length = end - start;
    page.doubles[index * RECORD_DOUBLES] = Number.NEGATIVE_INFINITY;
    page.integers[index * RECORD_INTEGERS + NAME_AT / 4 - 1] = length;
    if (length > NAME_BYTES) {
      const place = this.#addLongName(bytes.subarray(start, end));
      page.integers[index * RECORD_INTEGERS + NAME_AT / 4] = place;
      return number;
    }
    const own = page.bytes;
    for (let i = start, at = index * RECORD_BYTES + NAME_AT; i < end; i++, at++)
      own[at] = bytes[i] as number;
    return number;
  }

  #addLongName(name: Uint8Array): number {
    if (this.#longNameBytesUsed + name.length > LONG_NAME_CHUNK_BYTES) {
      this.#longNames.push(Buffer.allocUnsafeSlow(LONG_NAME_CHUNK_BYTES));
      this.#longNameBytesUsed = 0;
    }
    const last = this.#longNames.length - 1;
    const place = last * LONG_NAME_CHUNK_BYTES + this.#longNameBytesUsed;
    this.#longNames[last]?.set(name, this.#longNameBytesUsed);
    this.#longNameBytesUsed += name.length;
    return place;
  }

  /** True when the record is of this name. */
  isNamed(number: number, { bytes, start, end }: HashedName): boolean {
    const page = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    const length = end - start;
    if (page.integers[index * RECORD_INTEGERS + NAME_AT / 4 - 1] !== length) return false;
    if (length > NAME_BYTES) return this.#nameBytes(number).equals(bytes.subarray(start, end));
    const own = page.bytes;
    for (let i = start, at = index * RECORD_BYTES + NAME_AT; i < end; i++, at++)
      if (own[at] !== bytes[i]) return false;
    return true;
  }

  name(number: number): string {
    return this.#nameBytes(number).toString('utf8');
  }

  #nameBytes(number: number): Buffer {
    const page = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    const length = page.integers[index * RECORD_INTEGERS + NAME_AT / 4 - 1] as number;
    const at = index * RECORD_BYTES + NAME_AT;
    if (length <= NAME_BYTES) return page.bytes.subarray(at, at + length);
    const place = page.integers[at / 4] as number;
    const chunk = must(this.#longNames[place >>> LONG_NAME_CHUNK_BITS], 'a long name');
    const start = place & (LONG_NAME_CHUNK_BYTES - 1);
    return chunk.subarray(start, start + length);
  }

  /** Counts an event. It is the last one unless one with a later timestamp is known. */
  count(number: number, event: CountedEvent): void {
    const { doubles, integers } = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    const integer = index * RECORD_INTEGERS + 4;
    integers[integer] = (integers[integer] as number) + 1;
    const double = index * RECORD_DOUBLES;
    if (event.timestamp < (doubles[double] as number)) return;
    doubles[double] = event.timestamp;
    doubles[double + 1] = event.position;
    integers[integer + 1] = event.type;
  }

  lastTimestamp(number: number): number {
    return this.#page(number).doubles[(number & (PAGE_ENTITIES - 1)) * RECORD_DOUBLES] as number;
  }

  lastPosition(number: number): number {
    const index = number & (PAGE_ENTITIES - 1);
    return this.#page(number).doubles[index * RECORD_DOUBLES + 1] as number;
  }

  eventCount(number: number): number {
    const index = number & (PAGE_ENTITIES - 1);
    return this.#page(number).integers[index * RECORD_INTEGERS + 4] as number;
  }

  lastType(number: number): number {
    const index = number & (PAGE_ENTITIES - 1);
    return this.#page(number).integers[index * RECORD_INTEGERS + 5] as number;
  }

  #page(number: number): Page {
    return this.#pages[number >>> PAGE_BITS] as Page;
  }
}

/** One event to count. Events of an entity are counted in position order. */
export interface CountedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly position: number;
}

function newPage(): Page {
  const memory = new ArrayBuffer(PAGE_ENTITIES * RECORD_BYTES);
  return {
    doubles: new Float64Array(memory),
    integers: new Uint32Array(memory),
    bytes: Buffer.from(memory),
  };
}
