/** Stands before every head; the kernel writes the id into it. */
export const OPEN = Buffer.from('{"id":"00000000-0000-0000-0000-000000000000');
const NONE = Buffer.alloc(0);
/** Names whose parts are kept. */
const KEPT_MAX = 1_000;

/** What stands before the payload of a row, in parts. Filled anew for each that is looked at, so that reading many makes no objects. */
export class RowHead {
  /** Between the id and the entity. */
  beforeEntity: Uint8Array = NONE;
  /** The entity's id lies from `from` to `end` in `names`, in UTF-8. */
  names: Uint8Array = NONE;
  from = 0;
  end = 0;
  /** Between the entity and the payload. */
  behindEntity: Uint8Array = NONE;

  get bytesMax(): number {
    const entityBytesMax = 2 * (this.end - this.from);
    return OPEN.length + this.beforeEntity.length + entityBytesMax + this.behindEntity.length;
  }
}

/** Texts as bytes, kept by name: those of a page mostly are those of the page before. */
export class KeptBytes {
  readonly #kept = new Map<string, Buffer>();

  of(name: string, text: () => string): Buffer {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(text());
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(name, bytes);
    return bytes;
  }
}
