import { must } from '@allsource/shared/lang';
import { entityHash } from '../history/entity-hash.ts';
import type { HashedName } from '../history/name-table.ts';
import { compareBytesOfTexts, compareTexts } from './compare-texts.ts';

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
/** The first page begins small, for there may be many tenants with few entities, and is doubled until it is one as the others. */
const FIRST_PAGE_ENTITIES = 64;
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
  readonly #watches = new Set<Map<number, EntityFacts>>();

  get size(): number {
    return this.#count;
  }

  /** Bytes of memory held, without the overhead of the engine. */
  get bytes(): number {
    const longNames = this.#longNames.reduce((sum, chunk) => sum + chunk.length, 0);
    return this.#pages.reduce((sum, { bytes }) => sum + bytes.length, longNames);
  }

  /** Makes the record of a name that has none. Returns its number. */
  add({ bytes, start, end }: HashedName): number {
    const number = this.#count++;
    this.#makeRoom(number);
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

  #makeRoom(number: number): void {
    const [first] = this.#pages;
    if (first === undefined) this.#pages.push(newPage(FIRST_PAGE_ENTITIES));
    else if (number >>> PAGE_BITS === this.#pages.length) this.#pages.push(newPage(PAGE_ENTITIES));
    else if (number < PAGE_ENTITIES && number * RECORD_BYTES === first.bytes.length) {
      const larger = newPage(number * 2);
      larger.bytes.set(first.bytes);
      this.#pages[0] = larger;
    }
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

  /** Compares two names as their texts compare, by UTF-16 code units, without making these. */
  compareNames(a: number, b: number): number {
    if (a === b) return 0;
    const one = this.#page(a).bytes;
    const two = this.#page(b).bytes;
    const oneLength = this.#nameLength(a);
    const twoLength = this.#nameLength(b);
    // Long names lie elsewhere.
    if (Math.max(oneLength, twoLength) > NAME_BYTES)
      return compareTexts(this.name(a), this.name(b));
    const oneAt = (a & (PAGE_ENTITIES - 1)) * RECORD_BYTES + NAME_AT;
    const twoAt = (b & (PAGE_ENTITIES - 1)) * RECORD_BYTES + NAME_AT;
    const shared = Math.min(oneLength, twoLength);
    for (let i = 0; i < shared; i++) {
      const x = one[oneAt + i] as number;
      const y = two[twoAt + i] as number;
      if (x !== y) return compareBytesOfTexts(x, y);
    }
    return oneLength - twoLength;
  }

  #nameLength(number: number): number {
    const index = number & (PAGE_ENTITIES - 1);
    return this.#page(number).integers[index * RECORD_INTEGERS + NAME_AT / 4 - 1] as number;
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

  /**
   * Takes note of an event that may have been counted before: its version says how many there are. Noting events again in any order
   * comes to the same, as long as the newest of each entity is among them.
   */
  note(number: number, event: NotedEvent): void {
    if (this.#watches.size > 0) this.#keepForWatches(number);
    const { doubles, integers } = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    const integer = index * RECORD_INTEGERS + 4;
    if (event.version > (integers[integer] as number)) integers[integer] = event.version;
    const double = index * RECORD_DOUBLES;
    const last = doubles[double] as number;
    if (event.timestamp < last) return;
    if (event.timestamp === last && event.position < (doubles[double + 1] as number)) return;
    doubles[double] = event.timestamp;
    doubles[double + 1] = event.position;
    integers[integer + 1] = event.type;
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

  /** Begins to keep what is known of entities before it changes, for a reader that takes turns. It must be ended with `unwatch`. */
  watch(): Map<number, EntityFacts> {
    const before = new Map<number, EntityFacts>();
    this.#watches.add(before);
    return before;
  }

  unwatch(before: Map<number, EntityFacts>): void {
    this.#watches.delete(before);
  }

  #keepForWatches(number: number): void {
    for (const before of this.#watches)
      if (!before.has(number)) before.set(number, this.facts(number));
  }

  facts(number: number): EntityFacts {
    const { doubles, integers } = this.#page(number);
    const index = number & (PAGE_ENTITIES - 1);
    return {
      lastTimestamp: doubles[index * RECORD_DOUBLES] as number,
      lastPosition: doubles[index * RECORD_DOUBLES + 1] as number,
      eventCount: integers[index * RECORD_INTEGERS + 4] as number,
      lastType: integers[index * RECORD_INTEGERS + 5] as number,
    };
  }

  lastTimestamp(number: number): number {
    return this.#page(number).doubles[(number & (PAGE_ENTITIES - 1)) * RECORD_DOUBLES] as number;
  }

  eventCount(number: number): number {
    const index = number & (PAGE_ENTITIES - 1);
    return this.#page(number).integers[index * RECORD_INTEGERS + 4] as number;
  }

  /** Bytes of long names so far. They only grow. */
  get longNameBytes(): number {
    const full = Math.max(0, this.#longNames.length - 1) * LONG_NAME_CHUNK_BYTES;
    return this.#longNames.length === 0 ? 0 : full + this.#longNameBytesUsed;
  }

  /** How many pieces `recordPages` and `longNameChunks` give. */
  pageCount(entities: number): number {
    return Math.ceil(entities / PAGE_ENTITIES);
  }

  longNamePartCount(bytes: number): number {
    return Math.ceil(bytes / LONG_NAME_CHUNK_BYTES);
  }

  /** Copies of the records of the first `entities` entities, a page at a time, as they are when the page is asked for. */
  *recordPages(entities: number): Generator<Buffer> {
    for (let number = 0; number < entities; number += PAGE_ENTITIES) {
      const records = Math.min(PAGE_ENTITIES, entities - number);
      yield Buffer.from(this.#page(number).bytes.subarray(0, records * RECORD_BYTES));
    }
  }

  /** The first `bytes` bytes of the long names, in parts. */
  *longNameChunks(bytes: number): Generator<Buffer> {
    for (const [i, chunk] of this.#longNames.entries()) {
      const used = Math.min(LONG_NAME_CHUNK_BYTES, bytes - i * LONG_NAME_CHUNK_BYTES);
      if (used > 0) yield chunk.subarray(0, used);
    }
  }

  /** Memory for the next page of records that is taken back: they are read straight into it. At most a page, however many bytes are asked for. */
  roomForPage(bytes: number): Buffer {
    const entities = Math.min(PAGE_ENTITIES, Math.ceil(bytes / RECORD_BYTES));
    const isOnly = this.#pages.length === 0 && entities < PAGE_ENTITIES;
    const page = newPage(isOnly ? powerOfTwo(entities) : PAGE_ENTITIES);
    this.#pages.push(page);
    this.#count += entities;
    return page.bytes.subarray(0, bytes);
  }

  /** Memory for the next part of the long names that is taken back. */
  roomForLongNames(bytes: number): Buffer {
    const chunk = Buffer.allocUnsafeSlow(LONG_NAME_CHUNK_BYTES);
    this.#longNames.push(chunk);
    this.#longNameBytesUsed = bytes;
    return chunk.subarray(0, bytes);
  }

  /** The hash of a name of a tenant. */
  hash(number: number, seed: number): number {
    const name = this.#nameBytes(number);
    return entityHash(seed, name, { start: 0, end: name.length });
  }

  #page(number: number): Page {
    return this.#pages[number >>> PAGE_BITS] as Page;
  }
}

/** The room of a first page that holds so many. */
function powerOfTwo(entities: number): number {
  let room = FIRST_PAGE_ENTITIES;
  while (room < entities) room *= 2;
  return room;
}

/** What is known of an entity; types are numbers of the owner's. */
export interface EntityFacts {
  readonly lastTimestamp: number;
  readonly lastPosition: number;
  readonly eventCount: number;
  readonly lastType: number;
}

/** One event to count. Events of an entity are counted in position order. */
export interface CountedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly position: number;
}

/** An event whose version counts the events of its entity. */
export interface NotedEvent extends CountedEvent {
  readonly version: number;
}

function newPage(entities: number): Page {
  const memory = new ArrayBuffer(entities * RECORD_BYTES);
  return {
    doubles: new Float64Array(memory),
    integers: new Uint32Array(memory),
    bytes: Buffer.from(memory),
  };
}
