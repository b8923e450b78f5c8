const OPEN = Buffer.from('{"id":"');
const UUID_TEXT_BYTES = 36;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
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
    return (
      OPEN.length +
      UUID_TEXT_BYTES +
      this.beforeEntity.length +
      entityBytesMax +
      this.behindEntity.length
    );
  }

  /** Writes the parts with room for the id. Returns the end. */
  write(target: Uint8Array, start: number): number {
    let at = put(target, start, OPEN);
    at = put(target, at + UUID_TEXT_BYTES, this.beforeEntity);
    at = this.#writeEntity(target, at);
    return put(target, at, this.behindEntity);
  }

  /** As JSON text has it. Names have no control characters. */
  #writeEntity(target: Uint8Array, start: number): number {
    const { names, from, end } = this;
    let at = start;
    for (let i = from; i < end; i++) {
      const byte = names[i] as number;
      if (byte === QUOTE || byte === BACKSLASH) target[at++] = BACKSLASH;
      target[at++] = byte;
    }
    return at;
  }
}

/** For so few bytes a loop takes less time than a call. */
function put(target: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] as number;
  return at + bytes.length;
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
