import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { PayloadFunctions } from '../upcasting/upcasts.ts';
import type { FunctionAnswer, FunctionCall } from './loaded-functions.ts';
import { ThreadedFunctions } from './threaded-functions.ts';

/** What the thread holds beside the memories of its sandboxes. */
const HEAP_MIB_MAX = 128;
const IDLE_MS = 30_000;

/** The thread in which upcasters that are functions are called. Started by the first call. */
export class UpcastThread {
  readonly functions: PayloadFunctions;
  readonly #thread: JobThread<FunctionCall, FunctionAnswer>;

  constructor() {
    this.#thread = new JobThread({
      file: threadFile(import.meta, 'upcast-functions'),
      heapMibMax: HEAP_MIB_MAX,
      idleMs: IDLE_MS,
      closedDetail: 'The service is shutting down; no upcaster is called any more.',
    });
    this.functions = new ThreadedFunctions((call) => this.#thread.run(call));
  }

  /** Ends the thread. May be called twice. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}
