import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandContext } from '../command-context.ts';
import { CliError } from '../exit-code.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { lagText, parseAnswer, rowsOf, shown, statusText } from './projection-answers.ts';

const LOOK_MS = 500;

interface AwaitedBuild {
  /** Asks for the projection. */
  readonly look: () => Promise<string>;
  readonly build: number;
  readonly context: CommandContext;
}

/** Waits until a build of a projection is read, and returns the projection as JSON text. Throws when the build fails or the projection stands still. */
export async function awaitBuild({ look, build, context }: AwaitedBuild): Promise<string> {
  const line = new StatusLine(context.console, () => performance.now());
  const { signal } = context.interruption;
  try {
    for (;;) {
      const json = await look();
      const answer = parseAnswer(json);
      const { live_build: live, status } = answer;
      if (live === build) return json;
      const made = rowsOf(answer, 'builds').find((one) => one['build'] === build);
      if (made?.['status'] === 'failed' || status === 'failed')
        throw new CliError(`Build ${build} failed: ${shown(made?.['note'] ?? answer['failure'])}`);
      if (status === 'paused' || status === 'stopped')
        throw new CliError(`The projection is ${status}; build ${build} is not made.`);
      line.show(
        () =>
          `build ${build}: at ${shown(made?.['position'])}, ${statusText(answer)}, lag ${lagText(answer)}`,
      );
      await sleep(LOOK_MS, null, { signal });
    }
  } finally {
    line.end();
  }
}
