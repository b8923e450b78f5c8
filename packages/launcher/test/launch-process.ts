/** The launcher as a process of its own, with the services of the folder given as the first argument. */
import { pathToFileURL } from 'node:url';
import { launch } from '../src/launch.ts';
import { StopSignals } from '../src/stop-signals.ts';
import { createTerminal } from '../src/terminal.ts';

process.exitCode = await launch({
  environment: process.env,
  workingFolder: process.cwd(),
  servicesFolder: pathToFileURL(`${process.argv[2]}/`),
  terminal: createTerminal(),
  signals: new StopSignals(process),
});
