/**
 * What an instance of Emscripten's C holds at one moment, to be put back later: its variables, its static data and its heap.
 *
 * The memory is static data, then the stack, which grows downwards from the value that the stack pointer has at rest, and then the heap. The heap is copied to its last byte that is not zero: an
 * allocator of C writes a header behind the last block that it has given away, so whatever is in use lies before it, zeros or not. What lies behind it, and what is left on the stack, nobody reads
 * before writing it, so it stays as it is.
 */
import { assert } from '@allsource/shared/lang';
import type { WasmGlobal, WasmMemory } from './web-assembly.ts';

/** Room for the stack, as the module was linked. */
const C_STACK_BYTES = 5 * 1024 * 1024;
const STATIC_BYTES_MAX = 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;

interface Stretch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export class MemoryImage {
  readonly #memory: Uint8Array;
  readonly #stretches: readonly Stretch[];
  readonly #stackPointer: WasmGlobal;
  readonly #atRest: number;

  /** Takes the image, while no function of the instance runs. The stack pointer is its only variable, and the memory never grows. */
  constructor(memory: WasmMemory, variables: readonly WasmGlobal[]) {
    const [stackPointer, ...others] = variables;
    assert(stackPointer !== undefined && others.length === 0, 'a module with one variable');
    this.#stackPointer = stackPointer;
    this.#atRest = Number(stackPointer.value);
    const staticEnd = this.#atRest - C_STACK_BYTES;
    assert(
      staticEnd > 0 && staticEnd < STATIC_BYTES_MAX,
      'static data, then the stack, then the heap',
    );
    this.#memory = new Uint8Array(memory.buffer);
    const bounds = [
      [0, staticEnd],
      [this.#atRest, usedEnd(this.#memory)],
    ] as const;
    this.#stretches = bounds.map(([at, end]) => ({ at, bytes: this.#memory.slice(at, end) }));
  }

  /** Bytes that putting it back copies. */
  get size(): number {
    return this.#stretches.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Puts everything back. */
  restore(): void {
    for (const { at, bytes } of this.#stretches) this.#memory.set(bytes, at);
    this.#stackPointer.value = this.#atRest;
  }
}

/** Behind the last byte that is not zero. */
function usedEnd(memory: Uint8Array): number {
  const zeros = Buffer.alloc(BLOCK_BYTES);
  let end = memory.length;
  while (end > 0 && zeros.equals(memory.subarray(end - BLOCK_BYTES, end))) end -= BLOCK_BYTES;
  while (end > 0 && memory[end - 1] === 0) end -= 1;
  return end;
}
