import { type ChildProcess, fork } from 'node:child_process';
import { constants, getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { leftoverTimePrefix } from './leftover-time.ts';

/**
 * Garbage and compiling are the program's own thread's work. Threads of theirs take all processors at once, and who wakes up then waits: with them the p99 of reads beside a replay
 * is 1.7 to 3.1 times that without a replay, and 1.4 to 1.7 times in one thread (`bench/replay.ts`). The replay takes as long, in 7 % less processor time.
 */
const ONE_THREAD = '--single-threaded';

/** A program that runs beside the service, in a process of its own. */
export interface Program {
  /** The `import.meta` of the module that starts it, which lies beside the program. */
  readonly starter: Pick<ImportMeta, 'dirname' | 'filename'>;
  /** Its file is `<name>.program.ts`. */
  readonly name: string;
  readonly args?: readonly string[];
  readonly heapMibMax: number;
  /** One of `os.constants.priority`; a service of a lower one gives its own. The lowest is leftover time (leftover-time.ts). */
  readonly priority: number;
}

/**
 * Starts a program. It gets nothing of the environment, where secrets may be. Its priority holds from the start, for the start itself costs a few tenths of a second of processor time.
 */
export function startProgram(program: Program): ChildProcess {
  const { starter, name, args = [], heapMibMax, priority } = program;
  // The bundle lies beside that of the service; a service that runs from its sources starts the source.
  const extension = starter.filename.endsWith('.ts') ? 'ts' : 'js';
  const isLow = priority === constants.priority.PRIORITY_LOW;
  const [command, ...before] = [
    ...(isLow ? leftoverTimePrefix() : []),
    process.execPath,
    ...(isLow ? [ONE_THREAD] : []),
  ];
  const child = fork(join(starter.dirname, `${name}.program.${extension}`), args, {
    execPath: command,
    execArgv: [...before, `--max-old-space-size=${heapMibMax}`],
    serialization: 'advanced',
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // One that could not be started has no pid; its 'error' event says why.
  // A number larger than the own is a lower priority, and only root may give a higher one.
  if (child.pid !== undefined) setPriority(child.pid, Math.max(priority, getPriority()));
  return child;
}
