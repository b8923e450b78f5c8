import type { Interruption } from './interruption.ts';
import type { Console } from './terminal/console.ts';

/** What surrounds a command. */
export interface CommandWorld {
  readonly console: Console;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
}

/** What a command works with. It sets `exitCode` when it ends well but not with 0. */
export interface CommandContext extends CommandWorld {
  readonly interruption: Interruption;
  exitCode: number;
}

/** The options that every command has. */
export interface GlobalFlags {
  readonly url?: string;
  readonly apiKey?: string;
  readonly output?: string;
  readonly json?: boolean;
}
