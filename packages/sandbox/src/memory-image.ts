import type { WasmGlobal, WasmMemory } from './web-assembly.ts';

/** Zeros between two stretches that are copied along rather than told apart. */
const GAP_BYTES = 4096;
const PAGE_BYTES = 1024;
const BLOCK_BYTES = 64 * 1024;

interface Stretch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * What an instance of WebAssembly holds at one moment, to be put back later: its variables and the parts of its memory that are not zero.
 *
 * What was zero is not cleared again: the code that uses it, a C allocator and a C stack, takes nothing of memory that it has not written since.
 */
export class MemoryImage {
  readonly #memory: Uint8Array;
  readonly #stretches: readonly Stretch[];
  readonly #variables: readonly { readonly global: WasmGlobal; readonly value: unknown }[];

  /** Takes the image. The memory must never grow. */
  constructor(memory: WasmMemory, variables: readonly WasmGlobal[]) {
    this.#memory = new Uint8Array(memory.buffer);
    this.#stretches = stretchesOf(this.#memory);
    this.#variables = variables.map((global) => ({ global, value: global.value }));
  }

  /** Puts everything back. */
  restore(): void {
    for (const { at, bytes } of this.#stretches) this.#memory.set(bytes, at);
    for (const { global, value } of this.#variables) global.value = value;
  }
}

function stretchesOf(memory: Uint8Array): Stretch[] {
  const ranges: { start: number; end: number }[] = [];
  for (const start of usedPages(Buffer.from(memory.buffer))) {
    const last = ranges.at(-1);
    if (last !== undefined && start - last.end <= GAP_BYTES) last.end = start + PAGE_BYTES;
    else ranges.push({ start, end: start + PAGE_BYTES });
  }
  return ranges.map(({ start, end }) => ({ at: start, bytes: memory.slice(start, end) }));
}

/** Where the pages begin that are not all zeros. Most of the memory is, and passed over in large blocks. */
function* usedPages(memory: Buffer): Generator<number> {
  const zeros = Buffer.alloc(BLOCK_BYTES);
  for (let block = 0; block < memory.length; block += BLOCK_BYTES) {
    if (isZero(memory, block, block + BLOCK_BYTES)) continue;
    for (let page = block; page < block + BLOCK_BYTES; page += PAGE_BYTES)
      if (!isZero(memory, page, page + PAGE_BYTES)) yield page;
  }

  function isZero(bytes: Buffer, start: number, end: number): boolean {
    return zeros.compare(bytes, start, end, 0, end - start) === 0;
  }
}
