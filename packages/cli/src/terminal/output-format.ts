import type { GlobalFlags } from '../command-context.ts';

export const OUTPUT_FORMATS = ['table', 'json', 'ndjson'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The form of the output: the one asked for, else a table on a terminal and `piped` in a pipe. */
export function outputFormat(
  flags: GlobalFlags,
  options: { readonly isTerminal: boolean; readonly piped: OutputFormat },
): OutputFormat {
  const named = OUTPUT_FORMATS.find((format) => format === flags.output);
  if (named !== undefined) return named;
  if (flags.json === true) return 'json';
  return options.isTerminal ? 'table' : options.piped;
}
