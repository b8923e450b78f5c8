/** The `allsource` command as a process. */
import { run } from './run.ts';
import { createConsole } from './terminal/console.ts';

process.exitCode = await run(process.argv.slice(2), {
  console: createConsole(process),
  environment: process.env,
  workingFolder: process.cwd(),
});
