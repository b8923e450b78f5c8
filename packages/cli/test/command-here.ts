import { run } from '../src/run.ts';
import type { Console } from '../src/terminal/console.ts';
import { TEST_KEY } from './stand-in-store.ts';

export interface EndedCommand {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The `allsource` command in this process: quicker than a process of its own, and for tests of what it says and asks. */
export async function runHere(
  args: readonly string[],
  { url, folder }: { readonly url: string; readonly folder: string },
): Promise<EndedCommand> {
  const said = { stdout: '', stderr: '' };
  const console: Console = {
    isOutputTerminal: false,
    isErrorTerminal: false,
    columns: 200,
    isOutputClosed: false,
    outputClosed: new AbortController().signal,
    print: (line) => {
      said.stdout += `${line}\n`;
    },
    complain: (line) => {
      said.stderr += `${line}\n`;
    },
    draw: () => {},
    drained: () => Promise.resolve(),
    flush: () => Promise.resolve(),
  };
  const environment = { ALLSOURCE_URL: url, ALLSOURCE_API_KEY: TEST_KEY };
  const code = await run(args, { console, environment, workingFolder: folder });
  return { code, ...said };
}
