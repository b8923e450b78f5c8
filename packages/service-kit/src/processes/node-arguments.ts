import { availableParallelism } from 'node:os';

/** As many as Node starts by itself, whatever the machine. */
const GARBAGE_THREADS_MAX = 4;

/**
 * The arguments that node is started with for a service.
 *
 * - Where the processor has memory protection keys, V8 keeps a register of its code pages that threads which come and go can upset, and it then aborts the process ("Check failed:
 *   jit_page.has_value()", https://github.com/nodejs/node/issues/64500).
 * - A collection of garbage waits for its helping threads. Where there are more of them than processors to run them, it waits for some that are not running: on two busy processors, single events read at
 *   10,000 a second had a p99 of 2.6 ms with four threads and of 0.8 ms with one (medians of six turns).
 */
export function serviceNodeArguments(): string[] {
  const threads = Math.min(Math.max(availableParallelism() - 1, 1), GARBAGE_THREADS_MAX);
  return ['--enable-source-maps', '--no-memory-protection-keys', `--v8-pool-size=${threads}`];
}
