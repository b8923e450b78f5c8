import type { CheckStatus, InspectionCheck } from '@allsource/shared/protocol';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { examineNode } from '../inspection/examine-node.ts';
import { inspectFolder } from '../inspection/inspect-program.ts';
import { type Subject, subjectOf } from '../inspection/subject.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { withoutControls } from '../terminal/table.ts';

const TIMEOUT_MS = 5_000;

const HELP = `
Looks at a data folder (ALLSOURCE_DATA_DIR, ./data): whether it can be used, who has it open, space, open files, the newest segment and the headers
of all, the clock. With --url it looks at a running store: whether it answers and is ready, each service, versions, lag, NATS, the projections and
pipelines of the key's tenant; an admin key shows more.
It changes nothing. For the whole log there is \`allsource verify\`.

Exit code: 0 nothing to do, 1 something to do, 6 the node does not answer, 7 the log is damaged.`;

/** Adds `allsource doctor [DATA_FOLDER]`. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'Says what is wrong with a data folder or a running store (--url), and what to do.',
    )
    .argument('[data-folder]', 'the data folder, or a folder of segments')
    .addHelpText('after', HELP)
    .action(async (folder: string | undefined, _flags: GlobalFlags, command: Command) => {
      const flags = command.optsWithGlobals<GlobalFlags>();
      await doctor(subjectOf(folder, flags, context), flags, context);
    });
}

async function doctor(
  subject: Subject,
  flags: GlobalFlags,
  context: CommandContext,
): Promise<void> {
  const { console, interruption } = context;
  const checks =
    subject.kind === 'node'
      ? await checksOfNode(subject.url, flags, context)
      : await checksOfFolder(subject.folder, interruption.signal);
  const format = outputFormat(flags, { isTerminal: true, piped: 'table' });
  if (format === 'table') for (const line of asText(subject, checks)) console.print(line);
  else if (format === 'ndjson')
    for (const each of checks) console.print(JSON.stringify(factsOf(each)));
  else console.print(JSON.stringify({ subject: nameOf(subject), checks: checks.map(factsOf) }));
  context.exitCode = exitCode(checks);
}

function checksOfNode(
  url: string,
  flags: GlobalFlags,
  context: CommandContext,
): Promise<InspectionCheck[]> {
  const client = connect(flags, context, { retryForMs: 0, timeoutMs: TIMEOUT_MS });
  const { signal } = context.interruption;
  return examineNode({ client, url: url.replace(/\/+$/, ''), signal });
}

async function checksOfFolder(folder: string, signal: AbortSignal): Promise<InspectionCheck[]> {
  const checks: InspectionCheck[] = [];
  for await (const record of inspectFolder('examine', folder, signal)) {
    if (record.record === 'failure') throw new CliError(record.message);
    if (record.record === 'check') checks.push(record);
  }
  return checks;
}

function factsOf(found: InspectionCheck): Omit<InspectionCheck, 'record'> {
  const { check, status, evidence, advice } = found;
  return { check, status, evidence, advice };
}

function exitCode(checks: readonly InspectionCheck[]): number {
  if (checks.some(({ status }) => status === 'damage')) return EXIT.damaged;
  const isSilent = checks.some(({ check, status }) => check === 'gateway' && status === 'fault');
  if (isSilent) return EXIT.unavailable;
  return checks.every(({ status }) => status === 'ok') ? EXIT.ok : EXIT.failure;
}

const WORDS: Readonly<Record<CheckStatus, string>> = {
  ok: 'ok',
  warning: 'WARNING',
  fault: 'FAULT',
  damage: 'DAMAGE',
};

function asText(subject: Subject, checks: readonly InspectionCheck[]): string[] {
  const todo = checks.filter(({ status }) => status !== 'ok').length;
  const verdict = todo === 0 ? 'nothing to do' : `${todo} to look at`;
  const nameWidth = Math.max(...checks.map(({ check }) => check.length));
  const wordWidth = Math.max(...checks.map(({ status }) => WORDS[status].length));
  return [
    `${nameOf(subject)}: ${verdict}`,
    ...checks.flatMap(({ check, status, evidence, advice }) => {
      const start = `  ${WORDS[status].padEnd(wordWidth)}  ${check.padEnd(nameWidth)}  `;
      const lines = [start + withoutControls(evidence)];
      if (advice !== null) lines.push(`${' '.repeat(start.length)}-> ${advice}`);
      return lines;
    }),
  ];
}

function nameOf(subject: Subject): string {
  return subject.kind === 'node' ? subject.url : subject.folder;
}
