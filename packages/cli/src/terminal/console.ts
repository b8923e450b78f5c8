import { once } from 'node:events';

/** The two streams of a command: data on the one, everything else on the other. */
export interface Console {
  readonly isOutputTerminal: boolean;
  readonly isErrorTerminal: boolean;
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number;
  /** True when the reader of the output has gone away. */
  readonly isOutputClosed: boolean;
  /** Aborts when the reader of the output has gone away. */
  readonly outputClosed: AbortSignal;
  /** Writes one line of data. */
  print(line: string): void;
  /** Resolves when the reader of the output has room for more. */
  drained(): Promise<void>;
  /** Writes one line for the person, not for a pipe. */
  complain(line: string): void;
  /** Writes to standard error as it is, for a line that is drawn over. */
  draw(text: string): void;
  /** Resolves when everything has been handed to the system. */
  flush(): Promise<void>;
}

const COLUMNS_DEFAULT = 80;

/** The console of a process. */
export function createConsole({ stdout, stderr }: NodeJS.Process): Console {
  const closed = new AbortController();
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed.abort();
  });
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    isOutputTerminal: stdout.isTTY ?? false,
    isErrorTerminal: stderr.isTTY ?? false,
    get columns() {
      // A terminal may say 0 when it does not know.
      return stderr.columns || stdout.columns || COLUMNS_DEFAULT;
    },
    get isOutputClosed() {
      return closed.signal.aborted;
    },
    outputClosed: closed.signal,
    print: (line) => void stdout.write(`${line}\n`),
    complain: (line) => void stderr.write(`${line}\n`),
    draw: (text) => void stderr.write(text),
    drained: async () => {
      if (stdout.writableNeedDrain && !closed.signal.aborted)
        await once(stdout, 'drain', { signal: closed.signal });
    },
    flush: () => new Promise((resolve) => stdout.write('', () => resolve())),
  };
}
