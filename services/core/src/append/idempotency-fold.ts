/**
 * The fold of the log into (tenant, idempotency key) -> first commit. Keys are remembered as long as the log, so each costs as little as it can: a record of
 * 40 bytes in an arena that only grows, and a slot of 8 bytes in one of many small hash tables.
 *
 *     record   16 SHA-256 of (secret, tenant, key), cut to 128 bits   8 position of the commit   16 digest of what was sent
 *     slot      4 other bits of the hash                             4 number of the record + 1, 0 = free
 *
 * The hash stands for tenant and key: nobody finds two with one hash, and whoever does not know the secret cannot aim at one table. The
 * tables grow each by itself, so no growth takes longer than a fraction of a millisecond.
 */
import { hash as digestOf, randomBytes } from 'node:crypto';
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';

/** Which commit a key named first, and a digest of what was sent with it. */
export interface IdempotencyRecord {
  readonly position: Position;
  readonly bodyDigest: Buffer;
}

const SECRET_BYTES = 16;
const HASH_BYTES = 16;
const RECORD_BYTES = 40;
const POSITION_AT = 16;
const DIGEST_AT = 24;
const RECORDS_PER_CHUNK = 8192;
const TABLE_COUNT = 4096;
const SLOTS_AT_FIRST = 8;
/** Part of the slots of a table that may be in use. */
const FILL_MAX = 0.75;
const RECORDS_PER_PART = 4096;
/** Hashes of keys that were looked up and are soon folded; a few more than appends can be on their way. */
const RECENT_MAX = 4096;

interface Table {
  /** Two words a slot. */
  slots: Uint32Array;
  count: number;
}

export class IdempotencyFold implements CheckpointSection {
  readonly sectionName = 'idempotency/1';
  readonly #tables: (Table | undefined)[] = [];
  readonly #chunks: Buffer[] = [];
  #secret: Buffer = randomBytes(SECRET_BYTES);
  #isSecretLoaded = false;
  readonly #recent = new Map<string, Buffer>();
  #count = 0;

  /** The number of keys. */
  get size(): number {
    return this.#count;
  }

  /** Bytes that records and slots take. */
  get bytes(): number {
    const slots = this.#tables.reduce((sum, table) => sum + (table?.slots.byteLength ?? 0), 0);
    return this.#chunks.length * RECORDS_PER_CHUNK * RECORD_BYTES + slots;
  }

  /** Folds one durable frame. */
  apply(frame: Frame): void {
    const mark = frame.idempotency;
    if (mark === null) return;
    const record = Buffer.allocUnsafe(RECORD_BYTES);
    this.#foldedHash(frame.tenant, mark.key).copy(record);
    record.writeBigUInt64LE(BigInt(frame.position), POSITION_AT);
    record.set(mark.bodyDigest, DIGEST_AT);
    this.#put(record);
  }

  /** The commit a key named; null when the key is unknown. */
  find(tenant: string, key: string): IdempotencyRecord | null {
    const hash = this.#hash(tenant, Buffer.from(key, 'utf8'));
    const table = this.#tables[tableOf(hash)];
    const number = table === undefined ? 0 : this.#lookUp(table, hash).number;
    if (number === 0) {
      if (this.#recent.size >= RECENT_MAX) this.#recent.clear();
      this.#recent.set(nameOf(tenant, key), hash);
      return null;
    }
    const record = this.#record(number - 1);
    return {
      position: position(Number(record.readBigUInt64LE(POSITION_AT))),
      bodyDigest: Buffer.from(record.subarray(DIGEST_AT)),
    };
  }

  /** The hash of a key that is folded; it was computed when the key was looked up, unless the frame comes from the log. */
  #foldedHash(tenant: string, key: Uint8Array): Buffer {
    const name = nameOf(tenant, Buffer.from(key).toString('utf8'));
    const recent = this.#recent.get(name);
    this.#recent.delete(name);
    return recent ?? this.#hash(tenant, key);
  }

  #hash(tenant: string, key: Uint8Array): Buffer {
    const name = Buffer.from(tenant, 'utf8');
    const named = Buffer.concat([this.#secret, Buffer.of(name.length), name, key]);
    return digestOf('sha256', named, 'buffer').subarray(0, HASH_BYTES);
  }

  #put(record: Buffer): void {
    const ordinal = tableOf(record);
    const table = (this.#tables[ordinal] ??= {
      slots: new Uint32Array(SLOTS_AT_FIRST * 2),
      count: 0,
    });
    const { slot, number } = this.#lookUp(table, record);
    if (number !== 0) {
      this.#record(number - 1).set(record);
      return;
    }
    this.#append(record);
    table.slots[slot] = tagOf(record);
    table.slots[slot + 1] = this.#count;
    table.count += 1;
    if (table.count * 2 > table.slots.length * FILL_MAX) grow(table);
  }

  #append(record: Buffer): void {
    const at = this.#count % RECORDS_PER_CHUNK;
    if (at === 0) this.#chunks.push(Buffer.allocUnsafeSlow(RECORDS_PER_CHUNK * RECORD_BYTES));
    this.#count += 1;
    this.#record(this.#count - 1).set(record);
  }

  /** The record of a hash as its number + 1, or the free slot where it would go. */
  #lookUp(table: Table, hash: Buffer): { readonly slot: number; readonly number: number } {
    const { slots } = table;
    const tag = tagOf(hash);
    for (let slot = homeOf(tag, slots); ; slot = (slot + 2) % slots.length) {
      const number = slots[slot + 1] as number;
      const isFound =
        number === 0 ||
        (slots[slot] === tag &&
          this.#record(number - 1).compare(hash, 0, HASH_BYTES, 0, HASH_BYTES) === 0);
      if (isFound) return { slot, number };
    }
  }

  #record(ordinal: number): Buffer {
    const chunk = this.#chunks[Math.floor(ordinal / RECORDS_PER_CHUNK)];
    assert(chunk !== undefined, 'a record that is there');
    const at = (ordinal % RECORDS_PER_CHUNK) * RECORD_BYTES;
    return chunk.subarray(at, at + RECORD_BYTES);
  }

  save(): Iterable<Buffer> {
    return this.#parts(this.#count);
  }

  /** The secret, then the first `count` records: they never change. */
  *#parts(count: number): Generator<Buffer> {
    yield this.#secret;
    for (let first = 0; first < count; first += RECORDS_PER_PART) {
      const chunk = this.#chunks[Math.floor(first / RECORDS_PER_CHUNK)];
      const at = first % RECORDS_PER_CHUNK;
      const end = at + Math.min(RECORDS_PER_PART, count - first);
      assert(chunk !== undefined, 'a chunk that is there');
      yield chunk.subarray(at * RECORD_BYTES, end * RECORD_BYTES);
    }
  }

  load(part: Buffer): void {
    if (!this.#isSecretLoaded) {
      assert(
        part.length === SECRET_BYTES && this.#count === 0,
        'a secret, for a fold without keys',
      );
      this.#secret = Buffer.from(part);
      this.#isSecretLoaded = true;
      return;
    }
    assert(part.length % RECORD_BYTES === 0, 'whole records');
    for (let at = 0; at < part.length; at += RECORD_BYTES)
      this.#put(part.subarray(at, at + RECORD_BYTES));
  }
}

function nameOf(tenant: string, key: string): string {
  return `${tenant}\u0000${key}`;
}

function tableOf(hash: Buffer): number {
  return hash.readUInt16LE(0) % TABLE_COUNT;
}

function tagOf(hash: Buffer): number {
  return hash.readUInt32LE(4);
}

function homeOf(tag: number, slots: Uint32Array): number {
  return (tag * 2) % slots.length;
}

function grow(table: Table): void {
  const wider = new Uint32Array(table.slots.length * 2);
  for (let from = 0; from < table.slots.length; from += 2) {
    const number = table.slots[from + 1] as number;
    if (number === 0) continue;
    const tag = table.slots[from] as number;
    let slot = homeOf(tag, wider);
    while (wider[slot + 1] !== 0) slot = (slot + 2) % wider.length;
    wider[slot] = tag;
    wider[slot + 1] = number;
  }
  table.slots = wider;
}
