import type { StoredEvent } from '@allsource/client/tools';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { cutTo, formatTable, onOneLine } from '../terminal/table.ts';
import { wholeNumber } from './flag-values.ts';

interface GetFlags extends GlobalFlags {
  readonly asOf?: string;
  readonly state?: boolean;
  readonly limit?: number;
}

const RETRY_FOR_MS = 10_000;
const PAYLOAD_COLUMN_MIN = 20;

/** Adds `allsource get ENTITY`. */
export function addGetCommand(program: Command, context: CommandContext): void {
  program
    .command('get')
    .description('Shows the history of an entity in order, or its state.')
    .argument('<entity>', 'the entity id')
    .option('--as-of <instant>', 'only what had happened by then, such as 2026-01-31T12:00:00Z')
    .option('--state', 'the folded state instead of the history')
    .option('--limit <n>', 'at most this many events', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .action(async (entity: string, _flags: GetFlags, command: Command) => {
      const flags = command.optsWithGlobals<GetFlags>();
      if (flags.state === true) await printState(entity, flags, context);
      else await printHistory(entity, flags, context);
    });
}

async function printState(entity: string, flags: GetFlags, context: CommandContext): Promise<void> {
  const client = connect(flags, context, { retryForMs: RETRY_FOR_MS });
  const { signal } = context.interruption;
  const state = await client.entityState(entity, { asOf: flags.asOf, signal });
  const format = outputFormat(flags, {
    isTerminal: context.console.isOutputTerminal,
    piped: 'json',
  });
  if (format !== 'table') {
    context.console.print(state.json);
    return;
  }
  context.console.print(
    `${entity}: ${state.eventCount} events, last ${state.lastUpdated ?? 'never'}`,
  );
  context.console.print(JSON.stringify(state.currentState, null, 2));
}

async function printHistory(
  entity: string,
  flags: GetFlags,
  context: CommandContext,
): Promise<void> {
  const events = await history(entity, flags, context);
  if (events.length === 0) {
    throw new CliError(
      `The entity '${entity}' has no events${flags.asOf === undefined ? '' : ` as of ${flags.asOf}`}.`,
      EXIT.notFound,
    );
  }
  const { console } = context;
  const format = outputFormat(flags, { isTerminal: console.isOutputTerminal, piped: 'ndjson' });
  if (format === 'ndjson') for (const event of events) console.print(onOneLine(event.json));
  else if (format === 'json') console.print(`[${events.map((event) => event.json).join(',\n')}]`);
  else for (const line of historyTable(events, console.columns)) console.print(line);
  await console.drained();
}

/** The events in the order of their versions: the query orders by time, and an event may be recorded after a later one. */
async function history(
  entity: string,
  flags: GetFlags,
  context: CommandContext,
): Promise<StoredEvent[]> {
  const client = connect(flags, context, { retryForMs: RETRY_FOR_MS });
  const filter = { entityId: entity, asOf: flags.asOf };
  const events: StoredEvent[] = [];
  for await (const event of client.queryEvents(filter, { signal: context.interruption.signal }))
    events.push(event);
  events.sort((a, b) => a.version - b.version);
  return flags.limit === undefined ? events : events.slice(0, flags.limit);
}

function historyTable(events: readonly StoredEvent[], columns: number): string[] {
  const rows = events.map((event) => [
    String(event.version),
    event.timestamp,
    event.eventType,
    JSON.stringify(event.payload),
  ]);
  const table = formatTable([['VERSION', 'TIMESTAMP', 'TYPE', 'PAYLOAD'], ...rows]);
  const payloadAt = table[0]?.indexOf('PAYLOAD') ?? 0;
  return table.map((line) => cutTo(line, Math.max(columns, payloadAt + PAYLOAD_COLUMN_MIN)));
}
