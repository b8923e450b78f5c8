import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type InspectionRecord, parseInspectionRecord } from '@allsource/shared/protocol';
import { CliError } from '../exit-code.ts';

const PROGRAM = 'services/core/dist/inspect.program.js';
const OUTPUT_CHARACTERS_MAX = 4_000;

/**
 * The records of an inspection of a folder, made by the program that core's build puts beside core: it knows the log's bytes, and the command need not. Ends with
 * the program; an abort ends the program.
 */
export async function* inspectFolder(
  verb: 'verify' | 'examine',
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<InspectionRecord> {
  const child = spawn(process.execPath, [findProgram(), verb, folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  // An abort is told by the signal itself; the event would otherwise end the command with a stack.
  child.on('error', () => undefined);
  const complaint = collect(child);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const record = parseInspectionRecord(line);
      if (record !== null) yield record;
    }
    await ended(child);
    signal.throwIfAborted();
    if (complaint.text !== '')
      throw new CliError(`The inspection failed: ${complaint.text.trim()}`);
  } finally {
    child.kill();
  }
}

function collect(child: ChildProcess): { text: string } {
  const collected = { text: '' };
  child.stderr?.on('data', (chunk: Buffer) => {
    collected.text = (collected.text + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
  });
  return collected;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}

/** The program lies in the repository, or the image, that this command is part of. */
function findProgram(): string {
  let folder = import.meta.dirname;
  for (;;) {
    const program = join(folder, PROGRAM);
    if (existsSync(program)) return program;
    const above = dirname(folder);
    if (above === folder) break;
    folder = above;
  }
  throw new CliError(
    `The program that reads the log (${PROGRAM}) is not there. Run \`npm run build\` in the repository, and run this command where the store is installed.`,
  );
}
