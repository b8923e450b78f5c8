import { Command, CommanderError, Option } from 'commander';
import { addDoctorCommand } from './commands/doctor-command.ts';
import { addExportCommand } from './commands/export-command.ts';
import { addGetCommand } from './commands/get-command.ts';
import { addImportCommand } from './commands/import-command.ts';
import { addProjectionsCommand } from './commands/projections-command.ts';
import { addStatusCommand } from './commands/status-command.ts';
import { addTailCommand } from './commands/tail-command.ts';
import { addVerifyCommand } from './commands/verify-command.ts';
import type { CommandContext, CommandWorld } from './command-context.ts';
import { EXIT, exitCodeOf, explainFailure } from './exit-code.ts';
import { Interruption } from './interruption.ts';
import { OUTPUT_FORMATS } from './terminal/output-format.ts';

const VERSION = '0.1.0';

const EXIT_CODES = `
Exit codes: 0 done, 1 failure, 2 wrong usage, 3 not found, 4 conflict, 5 key missing or not allowed,
            6 the service does not answer, 7 the log is damaged, 130 interrupted.

Settings: a flag wins over the environment (ALLSOURCE_URL, ALLSOURCE_API_KEY); for a service on this machine
          the key of ALLSOURCE_DATA_DIR (./data) is used when no other is given.`;

/** Runs one command line and returns the exit code. Data goes to standard output, everything else to standard error. */
export async function run(args: readonly string[], world: CommandWorld): Promise<number> {
  const interruption = new Interruption(process);
  const context: CommandContext = { ...world, interruption, exitCode: EXIT.ok };
  try {
    await createProgram(context).parseAsync([...args], { from: 'user' });
    await world.console.flush();
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return commanderExitCode(error);
    // The reader of our output has left (`| head`): nothing is wrong.
    if (world.console.isOutputClosed) return EXIT.ok;
    if (interruption.isInterrupted) return EXIT.interrupted;
    world.console.complain(explainFailure(error));
    return exitCodeOf(error);
  } finally {
    interruption.close();
  }
}

function createProgram(context: CommandContext): Command {
  const program = new Command('allsource')
    .description('Talks to an AllSource event store: import, export, follow, read, look after it.')
    .version(VERSION)
    .option('--url <url>', 'address of the query service (default: http://127.0.0.1:3902)')
    .option(
      '--api-key <key>',
      'API key; better given in ALLSOURCE_API_KEY, where ps does not show it',
    )
    .addOption(new Option('--output <format>', 'form of the output').choices(OUTPUT_FORMATS))
    .option('--json', 'the same as --output json')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.console.print(text.trimEnd()),
      writeErr: (text) => context.console.complain(text.trimEnd()),
    })
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  addImportCommand(program, context);
  addExportCommand(program, context);
  addTailCommand(program, context);
  addGetCommand(program, context);
  addProjectionsCommand(program, context);
  addStatusCommand(program, context);
  addVerifyCommand(program, context);
  addDoctorCommand(program, context);
  return program;
}

function commanderExitCode(error: CommanderError): number {
  const isAsked = error.code === 'commander.helpDisplayed' || error.code === 'commander.version';
  return isAsked ? EXIT.ok : EXIT.usage;
}
