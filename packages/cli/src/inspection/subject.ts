import { resolve } from 'node:path';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { CliError, EXIT } from '../exit-code.ts';

/** What is inspected: the files of a folder, or a running node. */
export type Subject =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'node'; readonly url: string };

/** The subject of a command: --url means a node, anything else a folder, by default the one of ALLSOURCE_DATA_DIR. */
export function subjectOf(
  folder: string | undefined,
  flags: GlobalFlags,
  context: CommandContext,
): Subject {
  if (flags.url !== undefined && folder !== undefined)
    throw new CliError('Name a folder or --url, not both.', EXIT.usage);
  if (flags.url !== undefined) return { kind: 'node', url: flags.url };
  const { environment, workingFolder } = context;
  const named = folder ?? (environment['ALLSOURCE_DATA_DIR'] || './data');
  return { kind: 'folder', folder: resolve(workingFolder, named) };
}
