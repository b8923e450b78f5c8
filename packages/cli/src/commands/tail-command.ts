import type { PositionedEvent } from '@allsource/client/tools';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { Console } from '../terminal/console.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { cutTo, formatDuration, onOneLine, withoutControls } from '../terminal/table.ts';
import { timeSpanMs, typeOrPrefix, wholeNumber } from './flag-values.ts';

interface TailFlags extends GlobalFlags {
  readonly from?: number;
  readonly fromStart?: boolean;
  readonly type?: string;
  readonly entity?: string;
  readonly count?: number;
  readonly retryFor: number;
}

const RETRY_FOR_MS_DEFAULT = 60_000;

/** Adds `allsource tail`. */
export function addTailCommand(program: Command, context: CommandContext): void {
  program
    .command('tail')
    .description(
      'Follows the store live. Goes on after a disconnect without losing or repeating an event.',
    )
    .option(
      '--from <position>',
      'start with the event at this position',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .option('--from-start', 'start with the first event')
    .option(
      '--type <type>',
      'only this event type, or a prefix such as order.*',
      typeOrPrefix('.*'),
    )
    .option('--entity <id>', 'only this entity')
    .option('--count <n>', 'stop after this many events', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--retry-for <time>', 'how long an outage is bridged', timeSpanMs, RETRY_FOR_MS_DEFAULT)
    .action(async (_flags: TailFlags, command: Command) => {
      await tail(command.optsWithGlobals<TailFlags>(), context);
    });
}

async function tail(flags: TailFlags, context: CommandContext): Promise<void> {
  const { console, interruption } = context;
  const client = connect(flags, context, { retryForMs: flags.retryFor });
  const line = lineFormatter(flags, console);
  const stop = AbortSignal.any([interruption.signal, console.outputClosed]);
  let count = 0;
  for await (const tailed of client.tail({
    afterPosition: afterPosition(flags),
    entityId: flags.entity,
    eventTypes: flags.type === undefined ? undefined : [flags.type],
    signal: stop,
    onRetry: ({ error, delayMs }) =>
      console.complain(`${error.message} Trying again in ${formatDuration(delayMs)}.`),
  })) {
    console.print(line(tailed));
    if (++count === flags.count) return;
    await console.drained();
  }
}

function afterPosition(flags: TailFlags): number | undefined {
  if (flags.from !== undefined && flags.fromStart === true)
    throw new CliError('--from and --from-start exclude each other.', EXIT.usage);
  if (flags.fromStart === true) return 0;
  return flags.from === undefined ? undefined : flags.from - 1;
}

function lineFormatter(flags: TailFlags, console: Console): (tailed: PositionedEvent) => string {
  const format = outputFormat(flags, { isTerminal: console.isOutputTerminal, piped: 'ndjson' });
  return format === 'table' ? (tailed) => shortLine(tailed, console.columns) : positionedJson;
}

/** The event as the server sent it, with its position in front. */
function positionedJson({ position, event }: PositionedEvent): string {
  const json = onOneLine(event.json);
  return event.position === null ? `{"position":${position},${json.slice(1)}` : json;
}

function shortLine({ position, event }: PositionedEvent, columns: number): string {
  const { timestamp, eventType, entityId, payload } = event;
  const text = `${position}  ${timestamp}  ${eventType}  ${entityId}  ${JSON.stringify(payload)}`;
  return cutTo(withoutControls(text), columns);
}
