import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { EXIT } from '../exit-code.ts';
import { inspectFolder } from '../inspection/inspect-program.ts';
import { type Subject, subjectOf } from '../inspection/subject.ts';
import { VerificationView } from '../inspection/verification-view.ts';
import { outputFormat } from '../terminal/output-format.ts';

const HELP = `
Walks every frame of the log: checksums, the chain from frame to frame, positions, versions of each entity. It names all damage by segment, bytes and
positions, says what is intact, and changes nothing. Without --url it reads the files of DATA_FOLDER (ALLSOURCE_DATA_DIR, ./data), also while a node runs on
it: then up to the last whole frame. With --url the running node verifies its own log; that needs an admin key.

The events and entities it counts are all of the log, so those of the store itself too (keys, tenants, definitions).
What a crash has left of an append that nobody was told of (a torn tail) is reported and is no damage.
Exit code: 0 intact, 3 there is no log, 6 the node does not answer, 7 damaged.`;

/** Adds `allsource verify [DATA_FOLDER]`. */
export function addVerifyCommand(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .description('Verifies every frame of the log, in a folder or in a running node (--url).')
    .argument('[data-folder]', 'the data folder, or a folder of segments')
    .addHelpText('after', HELP)
    .action(async (folder: string | undefined, _flags: GlobalFlags, command: Command) => {
      const flags = command.optsWithGlobals<GlobalFlags>();
      await verify(subjectOf(folder, flags, context), flags, context);
    });
}

async function verify(
  subject: Subject,
  flags: GlobalFlags,
  context: CommandContext,
): Promise<void> {
  const { signal } = context.interruption;
  const records =
    subject.kind === 'node'
      ? connect(flags, context, { retryForMs: 0 }).verify({ signal })
      : inspectFolder('verify', subject.folder, signal);
  const { damages } = await new VerificationView({
    console: context.console,
    format: outputFormat(flags, { isTerminal: true, piped: 'table' }),
    subject: subject.kind === 'node' ? subject.url : subject.folder,
    nowMs: () => performance.now(),
  }).show(records);
  if (damages > 0) context.exitCode = EXIT.damaged;
}
