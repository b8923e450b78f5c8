/**
 * Keeps V8 from full collections under a load of many short-lived buffers. Left alone it marks the whole heap ten to twenty times a second at full
 * load, which takes a quarter of the machine, for two reasons:
 *
 * - The bytes of buffers do not count towards a collection of the young generation, but towards a full one. So the young generation is collected
 *   here, each time many such bytes have been made (measured: 40 a second of 1 ms).
 * - After a full collection V8 sets the bound for the next one. For a heap as small as core's the bound is only a young generation away, which
 *   is where V8 begins to mark again: one full collection brings on the next. With the growth factor set to 4, the largest that V8 uses of its own
 *   accord, the bound is out of reach (measured in 6 s of batches: 45 full collections without, none with it; a fifth less CPU time an event).
 *
 * Where V8 does not offer the call, collections happen as they would.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8 begins a full collection after 64 MiB. */
const COLLECT_EVERY_BYTES = 24 * 1024 * 1024;

/** Four times what is alive. */
const HEAP_GROWING_PERCENT = 300;

type Collect = (options: { readonly type: 'minor' }) => void;

export class YoungCollector {
  readonly #collect: Collect | null;
  #bytes = 0;

  constructor() {
    setFlagsFromString('--expose-gc');
    setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
    const found: unknown = runInNewContext('typeof gc === "function" ? gc : null');
    this.#collect = found as Collect | null;
  }

  /** Takes note of bytes in buffers that will soon be garbage. */
  note(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collect?.({ type: 'minor' });
  }
}
