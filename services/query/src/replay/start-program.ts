import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

const HEAP_MIB_MAX = 512;

/** Starts a program of this folder as a process of its own. It gets nothing of the environment, where secrets may be. */
export function startProgram(name: string, args: readonly string[] = []): ChildProcess {
  // The bundle lies beside that of the service; a service that runs from its sources starts the source.
  const isSource = import.meta.filename.endsWith('.ts');
  return fork(join(import.meta.dirname, `${name}.program.${isSource ? 'ts' : 'js'}`), args, {
    execArgv: [`--max-old-space-size=${HEAP_MIB_MAX}`],
    serialization: 'advanced',
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
