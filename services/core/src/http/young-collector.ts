/**
 * Collects the young generation each time many short-lived buffers have been made. V8 does not count the bytes of buffers towards a collection of
 * the young generation, but towards a full one: at a full load of batches it marks the whole heap ten times a second, which takes a quarter of the machine
 * (measured: 54 full collections in 5 s, each 30 ms of marking; with this 1, and 40 young ones a second of 1 ms). Where V8 does not offer
 * the call, collections happen as they would.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8 begins a full collection after 64 MiB. */
const COLLECT_EVERY_BYTES = 24 * 1024 * 1024;

type Collect = (options: { readonly type: 'minor' }) => void;

export class YoungCollector {
  readonly #collect: Collect | null;
  #bytes = 0;

  constructor() {
    setFlagsFromString('--expose-gc');
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
