/**
 * Puts rows of a page together in WebAssembly (kernel/assembly): rows are laid into the kernel's memory, a batch at a time, and come out as text. This class brings bytes in and out.
 *
 * There is one kernel, and it knows nothing of whose batch it holds: whoever begins a batch renders it before anything is awaited. A batch that was given up half-way is
 * forgotten by the next `begin`. The memory is fixed, so views of it last.
 */
import { assert } from '@allsource/shared/lang';
import type { RowText } from '../../history/row-text.ts';
import type { JsonWriter } from '../json-writer.ts';
import { HeadArea } from './head-area.ts';
import type { RowHead } from './row-head.ts';
import { TextArea } from './text-area.ts';

/** What the compiled kernel exports. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  initialize(): number;
  render(rows: number): number;
  renderLines(rows: number): number;
}

/** The part of the WebAssembly interface that is needed; it is no part of the language's types. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

// The part of the drawing in kernel/assembly/layout.ts that is written or read here.
const ROWS = 64 * 1024;
const ROW_BYTES = 80;
const ID = 32;
const HEADS = 128 * 1024;
const TEXTS = 256 * 1024;
const OUT = 384 * 1024;
const OUT_BYTES = 64 * 1024;
const ROW_WORDS = ROW_BYTES / 4;
const BEFORE_ENTITY_WORD = 12;
const ENTITY_WORD = 13;
const PAYLOAD_BYTES_WORD = 14;
const METADATA_BYTES_WORD = 15;
const TEXT_WORD = 16;
const BEHIND_ENTITY_WORD = 17;
const ID_RANDOM_WORD = 18;

const INSTANT = '2026-11-21T23:10:00.000000Z';
const INTEGER = '9007199254740992';
/** What a row takes in the text of a batch apart from its head, payload and metadata. */
const ROW_REST_BYTES_MAX =
  `,,"timestamp":"${INSTANT}","metadata":null,"version":${INTEGER},"recorded_at":"${INSTANT}","position":${INTEGER}}`
    .length;
/** More rows have no room, whatever is in them. */
const ROWS_MAX = Math.ceil(OUT_BYTES / ROW_REST_BYTES_MAX);

/** The numbers of a record in `doubles`, counted from where `takeRow` says. */
export const TIMESTAMP = 0;
export const RECORDED_AT = 1;
export const VERSION = 2;
export const POSITION = 3;
export const ROW_DOUBLES = ROW_BYTES / 8;

export class PageKernel {
  /** The records of the batch as numbers, ROW_DOUBLES a row. */
  readonly doubles: Float64Array;
  /** Where each row of the batch has its 16 bytes of id, if that is not put together. */
  readonly ids: readonly Buffer[];
  readonly #exports: KernelExports;
  readonly #bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #texts: TextArea;
  #rowCount = 0;
  /** What the rows taken need in the text of the batch, at most. */
  #bytesMax = 0;
  readonly #heads: HeadArea;

  /** Makes an instance of the compiled kernel. */
  constructor(wasm: Uint8Array) {
    const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface })
      .WebAssembly;
    this.#exports = new Instance(new Module(wasm), {}).exports as KernelExports;
    assert(this.#exports.initialize() !== 0, 'there is memory for the page kernel');
    const { buffer } = this.#exports.memory;
    this.#bytes = Buffer.from(buffer);
    this.#heads = new HeadArea(this.#bytes.subarray(HEADS, TEXTS));
    this.#texts = new TextArea(this.#bytes, TEXTS);
    this.#words = new Uint32Array(buffer, ROWS, ROWS_MAX * ROW_WORDS);
    this.doubles = new Float64Array(buffer, ROWS, ROWS_MAX * ROW_DOUBLES);
    this.ids = Array.from({ length: ROWS_MAX }, (_, row) =>
      Buffer.from(buffer, ROWS + row * ROW_BYTES + ID, 16),
    );
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Begins a batch. Its first row needs a head. */
  begin(): void {
    this.#rowCount = 0;
    this.#bytesMax = 0;
    this.#texts.begin();
    this.#heads.begin();
  }

  /** Takes what a row needs of a batch, if the batch has so much left. */
  takeRoom(headBytesMax: number, text: RowText): boolean {
    const needed = headBytesMax + text.payloadBytes + text.metadataBytes + ROW_REST_BYTES_MAX;
    if (this.#bytesMax + needed > OUT_BYTES) return false;
    this.#bytesMax += needed;
    return true;
  }

  /** Takes the head of the rows from here on. There is room, for one of them has taken it. */
  takeHead(head: RowHead): void {
    this.#heads.add(head);
  }

  /** Takes the text of a row that has room, and the random bits of its id or NO_RANDOM. Returns the number of its record, whose numbers, and then its id, are left to the caller. */
  takeRow({ bytes, start, payloadBytes, metadataBytes }: RowText, idRandom: number): number {
    const row = this.#rowCount++;
    const words = this.#words;
    const heads = this.#heads;
    const record = row * ROW_WORDS;
    words[record + BEFORE_ENTITY_WORD] = heads.beforeEntity;
    words[record + ENTITY_WORD] = heads.entity;
    words[record + BEHIND_ENTITY_WORD] = heads.behindEntity;
    words[record + ID_RANDOM_WORD] = idRandom;
    words[record + PAYLOAD_BYTES_WORD] = payloadBytes;
    words[record + METADATA_BYTES_WORD] = metadataBytes;
    words[record + TEXT_WORD] = this.#texts.add(bytes, start, payloadBytes + metadataBytes);
    return row;
  }

  /** Writes the rows of the batch with commas in between, and one before them unless they are the first of the answer. */
  render(writer: JsonWriter, isFirst: boolean): void {
    const end = OUT + this.#exports.render(this.#rowCount);
    this.#copyOut(writer, isFirst ? OUT + 1 : OUT, end);
  }

  /** Writes the rows of the batch as lines. */
  renderLines(writer: JsonWriter): void {
    this.#copyOut(writer, OUT, OUT + this.#exports.renderLines(this.#rowCount));
  }

  #copyOut(writer: JsonWriter, from: number, end: number): void {
    const target = writer.reserve(end - from);
    this.#bytes.copy(target, writer.length, from, end);
    writer.length += end - from;
    this.#texts.release();
  }
}
