/** Where the launcher talks to a person: what was asked for on standard output, complaints on standard error. */
export interface Terminal {
  say(text: string): void;
  complain(text: string): void;
}

/** The terminal of this process. A terminal that has gone away (a closed pipe) does not stop the services. */
export function createTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
  return {
    say: (text) => void process.stdout.write(`${text}\n`),
    complain: (text) => void process.stderr.write(`${text}\n`),
  };
}
