import { OPEN, type RowHead } from './row-head.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LENGTH_SHIFT = 16;
const NONE = Buffer.alloc(0);

/** A region of the kernel's memory, of less than 64 KiB in use, that takes heads in parts. Those that are as in the head before are not written again. */
export class HeadArea {
  /** Where the parts of the last head are, as the records of rows have it. */
  beforeEntity = 0;
  entity = 0;
  behindEntity = 0;
  readonly #target: Buffer;
  #at = 0;
  /** What was last written. */
  #before: Uint8Array = NONE;
  #behind: Uint8Array = NONE;

  constructor(target: Buffer) {
    this.#target = target;
  }

  /** Forgets all heads. */
  begin(): void {
    this.#at = 0;
    this.#before = NONE;
    this.#behind = NONE;
  }

  add(head: RowHead): void {
    const start = this.#at;
    if (head.beforeEntity !== this.#before) {
      this.#before = head.beforeEntity;
      this.#put(OPEN);
      this.#put(head.beforeEntity);
      this.beforeEntity = this.#partSince(start);
    }
    const entity = this.#at;
    this.#putEntity(head);
    this.entity = this.#partSince(entity);
    const behind = this.#at;
    if (head.behindEntity !== this.#behind) {
      this.#behind = head.behindEntity;
      this.#put(head.behindEntity);
      this.behindEntity = this.#partSince(behind);
    }
  }

  #partSince(start: number): number {
    return start | ((this.#at - start) << LENGTH_SHIFT);
  }

  #put(bytes: Uint8Array): void {
    this.#target.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** As JSON text has it. Names have no control characters. */
  #putEntity({ names, from, end }: RowHead): void {
    const target = this.#target;
    let at = this.#at;
    for (let i = from; i < end; i++) {
      const byte = names[i] as number;
      if (byte === QUOTE || byte === BACKSLASH) target[at++] = BACKSLASH;
      target[at++] = byte;
    }
    this.#at = at;
  }
}
