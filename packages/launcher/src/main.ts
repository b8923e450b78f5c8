/** The launcher as a process: `npm start` imports this file after the build. */
import { createTerminal } from './terminal.ts';
import { launch } from './launch.ts';
import { StopSignals } from './stop-signals.ts';
import { usage } from './usage.ts';

const SERVICES_FOLDER = new URL('../../../services/', import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const terminal = createTerminal();
  if (args.includes('--help') || args.includes('-h')) {
    terminal.say(usage());
    return 0;
  }
  if (args.length > 0) {
    terminal.complain(
      `The launcher does not know ${args.join(' ')}. Settings come from the environment; --help lists them.`,
    );
    return 2;
  }
  return launch({
    environment: process.env,
    workingFolder: process.cwd(),
    servicesFolder: SERVICES_FOLDER,
    terminal,
    signals: new StopSignals(process),
  });
}

process.exitCode = await main(process.argv.slice(2));
