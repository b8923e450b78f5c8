import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AllSourceClient, RouteRequest } from '@allsource/client/tools';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { type Answer, parseAnswer, rowsOf, shown } from '../projections/projection-answers.ts';
import { awaitBuild } from '../projections/await-build.ts';
import { parkedTable, projectionsTable, projectionView } from '../projections/projection-tables.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { cutTo, formatTable, withoutControls } from '../terminal/table.ts';
import { wholeNumber } from './flag-values.ts';

interface ProjectionFlags extends GlobalFlags {
  readonly file?: string;
  readonly template?: string;
  readonly start?: boolean;
  readonly wait?: boolean;
  readonly build?: number;
  readonly yes?: boolean;
  readonly prefix?: string;
  readonly limit?: number;
  readonly eventual?: boolean;
}

/** What a subcommand works with. */
interface Work {
  readonly client: AllSourceClient;
  readonly flags: ProjectionFlags;
  readonly context: CommandContext;
}

const RETRY_FOR_MS = 10_000;
const BASE = '/api/v1/projections';
const count = wholeNumber(1, 10_000);

/** Adds `allsource projections` with its subcommands. */
export function addProjectionsCommand(program: Command, context: CommandContext): void {
  const projections = program
    .command('projections')
    .description('Looks after projections: what is computed from the events as they come.');
  /** Makes the action of a subcommand with up to two arguments. */
  const act =
    (work: (given: Work, first: string, second: string | undefined) => Promise<void>) =>
    async (...given: unknown[]): Promise<void> => {
      const used = given.at(-1) as Command;
      const flags = used.optsWithGlobals<ProjectionFlags>();
      const client = connect(flags, context, { retryForMs: RETRY_FOR_MS });
      const [first = '', second] = used.args;
      await work({ client, flags, context }, first, second);
    };
  const add = (name: string, description: string) =>
    projections.command(name).description(description);
  add('list', 'Lists the projections with their status and lag.').action(act(list));
  add('show <name>', 'Shows everything about a projection.').action(act(show));
  add('create', 'Creates a projection from a file or a template.')
    .option('-f, --file <file>', 'its definition as JSON; - for standard input')
    .option('--template <template>', 'a template of the store, such as event-count')
    .option('--start', 'start it at once')
    .action(act(create));
  add('start <name>', 'Starts a projection, or lets it try again.').action(act(command('start')));
  add('pause <name>', 'Pauses a projection where it stands.').action(act(command('pause')));
  add('stop <name>', 'Stops a projection where it stands.').action(act(command('stop')));
  add('rebuild <name>', 'Builds a projection again beside the one that is read.')
    .option('--wait', 'wait until the new build is read')
    .action(act(rebuild));
  add('rollback <name>', 'Reads an earlier build again, at once.')
    .option('--build <n>', 'the build to read', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(act(rollback));
  add('delete <name>', 'Deletes a projection with its states.')
    .option('--yes', 'yes, delete it')
    .action(act(remove));
  add('state <name> [key]', 'Shows the state of a key, or a page of states.')
    .option('--prefix <text>', 'only keys that begin with this')
    .option('--limit <n>', 'at most so many states', count, 100)
    .option('--eventual', 'what is there, without waiting for the newest events')
    .action(act(state));
  add('parked <name>', 'Lists entities whose events wait because one cannot be folded.')
    .option('--limit <n>', 'at most so many entities', wholeNumber(1, 1_000), 100)
    .action(act(parked));
  add('retry <name> [entity]', 'Folds the waiting events of an entity, or of all, again.').action(
    act(retry),
  );
}

async function list(work: Work): Promise<void> {
  const json = await ask(work, { method: 'GET', path: BASE });
  printAs(work, json, (answer) => projectionsTable(rowsOf(answer, 'projections')));
}

async function show(work: Work, name: string): Promise<void> {
  const json = await ask(work, { method: 'GET', path: pathOf(name) });
  printAs(work, json, projectionView);
}

async function create(work: Work): Promise<void> {
  const { file, template, start } = work.flags;
  if (file === undefined && template === undefined)
    throw new CliError('Say what to create: --file FILE or --template NAME.', EXIT.usage);
  const given = file === undefined ? {} : await readDefinition(file, work.context);
  const body = {
    ...given,
    ...(template === undefined ? {} : { template }),
    ...(start === true ? { start } : {}),
  };
  const json = await ask(work, { method: 'POST', path: BASE, body });
  printAs(work, json, ({ projection }) => projectionView(projection as Answer));
}

async function readDefinition(file: string, { workingFolder }: CommandContext): Promise<Answer> {
  try {
    const text =
      file === '-' ? await textOfInput() : await readFile(resolve(workingFolder, file), 'utf8');
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(`The definition in '${file}' cannot be read: ${reason}.`, EXIT.usage);
  }
  throw new CliError(`The definition in '${file}' is no JSON object.`, EXIT.usage);
}

async function textOfInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function command(word: 'start' | 'pause' | 'stop') {
  return async (work: Work, name: string): Promise<void> => {
    const json = await ask(work, { method: 'POST', path: `${pathOf(name)}/${word}` });
    printAs(work, json, ({ status }) => [`${name}: ${shown(status)}`]);
  };
}

async function rebuild(work: Work, name: string): Promise<void> {
  const json = await ask(work, { method: 'POST', path: `${pathOf(name)}/rebuild` });
  const { build } = parseAnswer(json);
  if (work.flags.wait === true && typeof build === 'number') {
    const look = () => ask(work, { method: 'GET', path: pathOf(name) });
    const ended = await awaitBuild({ look, build, context: work.context });
    return printAs(work, ended, projectionView);
  }
  printAs(work, json, ({ status }) => [`${name}: ${shown(status)}`]);
}

async function rollback(work: Work, name: string): Promise<void> {
  const { build } = work.flags;
  const body = build === undefined ? {} : { build };
  const json = await ask(work, { method: 'POST', path: `${pathOf(name)}/rollback`, body });
  printAs(work, json, ({ data }) => projectionView(data as Answer));
}

async function remove(work: Work, name: string): Promise<void> {
  if (work.flags.yes !== true)
    throw new CliError(
      `This deletes the definition of '${name}' and all its states. Say so with --yes.`,
      EXIT.usage,
    );
  const json = await ask(work, { method: 'DELETE', path: pathOf(name) });
  printAs(work, json, () => [`${name}: deleted`]);
}

async function state(work: Work, name: string, key: string | undefined): Promise<void> {
  const { prefix, limit, eventual } = work.flags;
  const consistency = eventual === true ? 'eventual' : undefined;
  if (key === undefined) {
    const query = { entity_id_prefix: prefix, limit, consistency };
    const json = await ask(work, { method: 'GET', path: `${pathOf(name)}/state`, query });
    return printAs(work, json, (answer) => statesTable(answer, work.context.console.columns));
  }
  const path = `${pathOf(name)}/${encodeURIComponent(key)}/state`;
  const json = await ask(work, { method: 'GET', path, query: { consistency } });
  const answer = parseAnswer(json);
  if (answer['found'] !== true)
    throw new CliError(`The projection '${name}' has no state of '${key}'.`, EXIT.notFound);
  printAs(work, json, () => [withoutControls(JSON.stringify(answer['state']))]);
}

function statesTable(answer: Answer, columns: number): string[] {
  const rows = rowsOf(answer, 'states').map((row) => [
    shown(row['entity_id']),
    JSON.stringify(row['state']),
  ]);
  const more = answer['has_more'] === true ? [`${rows.length} of ${shown(answer['total'])}`] : [];
  return [...formatTable([['KEY', 'STATE'], ...rows]).map((line) => cutTo(line, columns)), ...more];
}

async function parked(work: Work, name: string): Promise<void> {
  const query = { limit: work.flags.limit };
  const json = await ask(work, { method: 'GET', path: `${pathOf(name)}/parked`, query });
  printAs(work, json, (answer) => parkedTable(rowsOf(answer, 'parked')));
}

async function retry(work: Work, name: string, entity: string | undefined): Promise<void> {
  const body = entity === undefined ? {} : { entity_id: entity };
  const json = await ask(work, { method: 'POST', path: `${pathOf(name)}/parked/retry`, body });
  printAs(work, json, (answer) => [
    `${shown(answer['entities_freed'])} entities go on (${shown(answer['events_folded'])} events folded), ${shown(answer['entities_parked'])} still wait`,
  ]);
}

function ask({ client, context }: Work, request: RouteRequest): Promise<string> {
  return client.ask(request, { signal: context.interruption.signal });
}

function pathOf(name: string): string {
  return `${BASE}/${encodeURIComponent(name)}`;
}

function printAs(
  { flags, context }: Work,
  json: string,
  table: (answer: Answer) => string[],
): void {
  const { console } = context;
  const isTerminal = console.isOutputTerminal;
  const format = outputFormat(flags, { isTerminal, piped: 'json' });
  if (format === 'table') for (const line of table(parseAnswer(json))) console.print(line);
  else console.print(json);
}
