/**
 * The kernel's instance and its linear memory. kernel/assembly/layout.ts draws the memory; the constants here are the part of that drawing that
 * JavaScript writes to or reads from. Growth of the entity table moves the memory to another ArrayBuffer, so nobody keeps a view of it over a call.
 */
import { assert } from '@allsource/shared/lang';

/** What the compiled kernel exports; addresses and lengths are bytes. */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  initialize(
    inputBytesMax: number,
    eventsMax: number,
    keyA: bigint,
    keyB: bigint,
    seed: bigint,
  ): number;
  setRules(payloadBytesMax: number, metadataBytesMax: number, latestTimestamp: number): void;
  scanBatch(bytes: number, eventsMax: number): number;
  scanSingle(bytes: number): number;
  scanLines(bytes: number, eventsMax: number, lineFeeds: number): number;
  checkColumns(
    bytes: number,
    count: number,
    payloadBytesMax: number,
    metadataBytesMax: number,
  ): number;
  tenantOffset(): number;
  tenantLength(): number;
  selectTenant(bytes: number): void;
  placeEvents(count: number, firstPosition: number): number;
  currentVersion(): number;
  undoEvents(count: number): void;
  buildFrame(
    count: number,
    position: number,
    recordedAt: number,
    durablePosition: number,
    previousChecksum: number,
    partitionCount: number,
    keyBytes: number,
  ): number;
  writeBatchAnswer(): number;
  writeSingleAnswer(): number;
  countTypes(): number;
  typeCountsAt(): number;
  newEntities(): number;
  applyFrame(): number;
  undoFrame(): void;
  lookUp(bytes: number): number;
  lookedUpPosition(): number;
  entityCount(): number;
  tableBytes(): number;
  segmentCount(): number;
  copySegments(first: number, end: number): number;
  beginLoading(): void;
  loadSegments(bytes: number): number;
  endLoading(): number;
  setHashKey(a: bigint, b: bigint): void;
  hashInto(target: number, at: number, bytes: number): void;
  eventTable(): number;
  frameAt(): number;
  answerAt(): number;
  segmentsAt(): number;
}

/** The largest request the kernel takes. */
export interface KernelLimits {
  readonly inputBytesMax: number;
  readonly eventsMax: number;
}

export interface KernelMemoryOptions extends KernelLimits {
  /** The compiled kernel. */
  readonly wasm: Uint8Array;
  /** 16 bytes: the key of the entity table's hash. */
  readonly hashKey: Buffer;
  /** 8 bytes: what the random bits of event ids begin with. */
  readonly idSeed: Buffer;
}

/** The part of the WebAssembly interface that is needed; it is no part of the language's types. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

export const CONTEXT_TENANT = 64 * 1024;
export const CONTEXT_KEY = CONTEXT_TENANT + 256;
export const CONTEXT_DIGEST = CONTEXT_TENANT + 512;
export const CONTEXT_LOG_ID = CONTEXT_TENANT + 528;
export const CONTEXT_HASH = CONTEXT_TENANT + 576;
export const INPUT = 8 * 1024 * 1024;
export const EVENT_BYTES = 80;

export class KernelMemory {
  readonly exports: KernelExports;
  readonly eventTable: number;
  readonly frameAt: number;
  readonly answerAt: number;
  readonly #regionBytes: number;
  #bytes: Buffer;

  /** Makes an instance with an empty entity table. */
  constructor({ wasm, inputBytesMax, eventsMax, hashKey, idSeed }: KernelMemoryOptions) {
    const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface })
      .WebAssembly;
    this.exports = new Instance(new Module(wasm), {}).exports as KernelExports;
    const isReady = this.exports.initialize(
      inputBytesMax,
      eventsMax,
      hashKey.readBigUInt64LE(0),
      hashKey.readBigUInt64LE(8),
      idSeed.readBigUInt64LE(0),
    );
    assert(isReady !== 0, 'there is memory for the ingest kernel');
    this.eventTable = this.exports.eventTable();
    this.frameAt = this.exports.frameAt();
    this.answerAt = this.exports.answerAt();
    this.#regionBytes = this.exports.segmentsAt();
    this.#bytes = Buffer.from(this.exports.memory.buffer, 0, this.#regionBytes);
  }

  /** All regions but the entity table's segments. Valid until the next call of an export. */
  get bytes(): Buffer {
    const { buffer } = this.exports.memory;
    if (this.#bytes.buffer !== buffer) this.#bytes = Buffer.from(buffer, 0, this.#regionBytes);
    return this.#bytes;
  }

  /** A copy of `length` bytes at `from`. */
  copy(from: number, length: number): Buffer {
    return Buffer.from(this.bytes.subarray(from, from + length));
  }
}
