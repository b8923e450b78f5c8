import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { BlockJob } from './block-writer.ts';
import { sharedBytes, sharedContent } from './shared-content.ts';

/** A block, its encoded columns and its compressed text: a few times more than is needed. */
const HEAP_MIB_MAX = 256;
const IDLE_MS = 60_000;
/** Memory comes in such steps, so that the next block fits where one lay. */
const MEMORY_STEP = 8 * 1024 * 1024;

/** The thread that encodes and writes blocks (block.worker.ts). It is half of the work of a catch-up, and none of it needs to be where reads are served. */
export class BlockThread {
  readonly #thread = new JobThread<BlockJob, string>({
    file: threadFile(import.meta, 'block'),
    heapMibMax: HEAP_MIB_MAX,
    idleMs: IDLE_MS,
    closedDetail: 'No blocks are written any more: the service stops.',
  });
  /** Memory that waits for the next block: fresh memory costs as much as what is copied into it. */
  #spare: SharedArrayBuffer | null = null;
  #idle: NodeJS.Timeout | null = null;

  /** Writes a block after those before it. Throws what the writing throws, and `shutting_down` when the thread is closed. */
  async write(job: BlockJob): Promise<string> {
    const memory = this.#take(sharedBytes(job.content));
    try {
      const content = await sharedContent(job.content, memory);
      return await this.#thread.run({ ...job, content });
    } finally {
      this.#keep(memory);
    }
  }

  #take(bytes: number): SharedArrayBuffer {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null && spare.byteLength >= bytes) return spare;
    return new SharedArrayBuffer(Math.ceil(bytes / MEMORY_STEP) * MEMORY_STEP);
  }

  #keep(memory: SharedArrayBuffer): void {
    this.#spare = memory;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => (this.#spare = null), IDLE_MS).unref();
  }

  /** Ends the thread. May be called twice. */
  async close(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.#thread.close();
  }
}
