import { EVENT_ID_BYTES } from '@allsource/shared/model';
import { eventIdRandom, type IdColumns, NO_RANDOM, rebuildEventId } from '../block/event-ids.ts';

/** The event ids of a tail: 22 bits each, or all of them whole as soon as one was made otherwise (see event-ids.ts). */
export class TailIds {
  #randoms: Uint32Array;
  #whole: Buffer | null = null;
  /** The parts of the id looked at, set anew for each row. */
  readonly #parts = { position: 0, recordedAt: 0 };

  constructor(rows: number) {
    this.#randoms = new Uint32Array(rows);
  }

  reserveRows(rows: number): void {
    const randoms = new Uint32Array(rows);
    randoms.set(this.#randoms);
    this.#randoms = randoms;
    if (this.#whole === null) return;
    const whole = Buffer.alloc(rows * EVENT_ID_BYTES);
    whole.set(this.#whole);
    this.#whole = whole;
  }

  /** Takes the id of a row from a frame. The row's position and recorded_at are in `columns` already. */
  add(
    row: number,
    id: { readonly view: DataView; readonly offset: number },
    columns: IdColumns,
  ): void {
    const parts = this.#parts;
    parts.position = columns.firstPosition + (columns.positions[row] as number);
    parts.recordedAt = columns.recordedAts[row] as number;
    const random = eventIdRandom(id.view, id.offset, parts);
    if (random === NO_RANDOM && this.#whole === null) this.#keepWhole(row, columns);
    if (this.#whole === null) this.#randoms[row] = random;
    else copyId(id.view, id.offset, { to: this.#whole, row });
  }

  /** The random bits of a row's id; NO_RANDOM when ids are kept whole. */
  random(row: number): number {
    return this.#whole === null ? (this.#randoms[row] as number) : NO_RANDOM;
  }

  /** Writes the id of a row to the start of `target`. */
  copy(row: number, columns: IdColumns, target: Buffer): void {
    if (this.#whole === null) rebuildEventId(columns, row, this.#randoms[row] as number, target);
    else this.#whole.copy(target, 0, row * EVENT_ID_BYTES, (row + 1) * EVENT_ID_BYTES);
  }

  /** The ids of the first rows, in the shorter form that holds all of them. */
  column(rowCount: number): Uint32Array | Buffer {
    return this.#whole === null
      ? this.#randoms.subarray(0, rowCount)
      : this.#whole.subarray(0, rowCount * EVENT_ID_BYTES);
  }

  /** From now on ids are kept whole; those before `rows` are put together. */
  #keepWhole(rows: number, columns: IdColumns): void {
    const whole = Buffer.alloc(this.#randoms.length * EVENT_ID_BYTES);
    for (let row = 0; row < rows; row++) {
      const target = whole.subarray(row * EVENT_ID_BYTES);
      rebuildEventId(columns, row, this.#randoms[row] as number, target);
    }
    this.#whole = whole;
  }
}

function copyId(
  view: DataView,
  offset: number,
  { to, row }: { readonly to: Buffer; readonly row: number },
): void {
  for (let i = 0; i < EVENT_ID_BYTES; i++) to[row * EVENT_ID_BYTES + i] = view.getUint8(offset + i);
}
