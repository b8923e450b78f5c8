import type { WasmGlobal, WasmMemory } from './web-assembly.ts';

/** Zeros between two stretches that are copied along rather than told apart. */
const GAP_BYTES = 4096;
const PAGE_BYTES = 1024;

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
  const words = new Int32Array(memory.buffer);
  for (let start = 0; start < memory.length; start += PAGE_BYTES) {
    if (isZero(words, start / 4, (start + PAGE_BYTES) / 4)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && start - last.end <= GAP_BYTES) last.end = start + PAGE_BYTES;
    else ranges.push({ start, end: start + PAGE_BYTES });
  }
  return ranges.map(({ start, end }) => ({ at: start, bytes: memory.slice(start, end) }));
}

function isZero(words: Int32Array, start: number, end: number): boolean {
  let bits = 0;
  for (let at = start; at < end; at++) bits |= words[at] as number;
  return bits === 0;
}
