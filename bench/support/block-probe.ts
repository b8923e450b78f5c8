/**
 * The probe that the history was modelled on, over the same frames: a few integers an event copied from the spans, and for every 65,536 events a
 * radix-sorted index of entities, the text compressed, and a file. It has no catalog, no dictionaries, no checksums, no time columns, no
 * reads of what is not sealed and no crash safety: a bar, not a store.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { type Frame, SPAN_BYTES } from '@allsource/shared/protocol';
import { sortedOrder } from '../../services/query/src/history/entity-hash.ts';

const BLOCK_EVENTS = 65_536;
const COLUMNS = ['hash', 'type', 'version', 'payload', 'payloadBytes'] as const;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export class BlockProbe {
  readonly #folder: string;
  readonly #columns = COLUMNS.map(() => new Uint32Array(BLOCK_EVENTS));
  #texts: Buffer[] = [];
  #rows = 0;
  #blocks = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  apply(frame: Frame): void {
    const { bytes, eventCount, textOffset } = frame;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#texts.push(bytes.subarray(textOffset, textOffset + frame.textBytes));
    for (let i = 0, span = frame.spansOffset; i < eventCount; i++, span += SPAN_BYTES) {
      if (this.#rows === BLOCK_EVENTS) this.seal();
      const row = this.#rows++;
      // Core's kernel hashes entities in its own pass; the probe took the hash from there, and takes random bits of the id here.
      (this.#columns[0] as Uint32Array)[row] = Math.imul(
        view.getUint32(span + 6, true),
        0x9e3779b1,
      );
      (this.#columns[1] as Uint32Array)[row] = view.getUint32(span + 52, true);
      (this.#columns[2] as Uint32Array)[row] = view.getUint32(span + 24, true);
      (this.#columns[3] as Uint32Array)[row] = view.getUint32(span + 40, true);
      (this.#columns[4] as Uint32Array)[row] = view.getUint32(span + 44, true);
    }
  }

  seal(): void {
    const [hashes = new Uint32Array(0)] = this.#columns;
    const order = sortedOrder(hashes.subarray(0, this.#rows));
    const sorted = order.map((row) => hashes[row] as number);
    const text = zstdCompressSync(Buffer.concat(this.#texts), ZSTD);
    const parts = [sorted, order, ...this.#columns.slice(1)].map((column) =>
      Buffer.from(column.buffer),
    );
    writeFileSync(join(this.#folder, `probe-${this.#blocks}`), text);
    writeFileSync(join(this.#folder, `probe-${this.#blocks}.index`), Buffer.concat(parts));
    this.#blocks++;
    this.#rows = 0;
    this.#texts = [];
  }
}
