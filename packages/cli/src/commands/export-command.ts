import {
  type AllSourceClient,
  type ExportFilter,
  type ExportOptions,
  type ExportPart,
  readLines,
} from '@allsource/client/tools';
import { type Command, Option } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { CliError, EXIT, exitCodeOf, explainFailure } from '../exit-code.ts';
import { readArrow } from '../export/arrow-parts.ts';
import { ArrowWriter } from '../export/arrow-writer.ts';
import { CsvWriter } from '../export/csv-writer.ts';
import { ExportProgress } from '../export/export-progress.ts';
import { type ExportTarget, FileTarget, StreamTarget } from '../export/export-target.ts';
import type { ExportWriter } from '../export/export-writer.ts';
import { NdjsonWriter } from '../export/ndjson-writer.ts';
import { ParquetWriter } from '../export/parquet-writer.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/table.ts';
import { timeSpanMs, typeOrPrefix, typePrefixes, wholeNumber } from './flag-values.ts';

const FORMATS = ['ndjson', 'csv', 'arrow', 'parquet'] as const;
type Format = (typeof FORMATS)[number];

interface ExportFlags extends GlobalFlags {
  readonly format?: Format;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly entity?: string;
  readonly type?: string;
  readonly excludeType?: string;
  readonly since?: string;
  readonly until?: string;
  readonly asOf?: string;
  readonly payload?: string;
  readonly limit?: number;
  readonly retryFor: number;
}

const RETRY_FOR_MS_DEFAULT = 60_000;
/** The largest number of events that a query may ask for; without --limit all are exported. */
const LIMIT_MAX = 1_000_000;

/** Adds `allsource export`. */
export function addExportCommand(program: Command, context: CommandContext): void {
  program
    .command('export')
    .description(
      'Writes events to a file or to standard output, in the order of the log: what the store holds at one position, each event once. Goes on after a disconnect.',
    )
    .addOption(
      new Option('--format <format>', 'default: by the ending of --out, else ndjson').choices(
        FORMATS,
      ),
    )
    .option('--out <file>', 'the file; it appears when it is whole. Default: standard output')
    .option('--overwrite', 'replace the file when it is there already')
    .option('--entity <id>', 'only this entity')
    .option('--type <type>', 'only this event type, or a prefix such as order.*', typeOrPrefix('*'))
    .option(
      '--exclude-type <prefixes>',
      'no types that begin so, such as order.; several with commas between them',
      typePrefixes,
    )
    .option('--since <instant>', 'only what happened then or later, such as 2026-01-31T12:00:00Z')
    .option('--until <instant>', 'only what happened then or before')
    .option('--as-of <instant>', 'only what had happened by then')
    .option('--payload <json>', 'only payloads with these members, such as {"status":"open"}')
    .option('--limit <n>', 'at most this many events', wholeNumber(1, LIMIT_MAX))
    .option('--retry-for <time>', 'how long an outage is bridged', timeSpanMs, RETRY_FOR_MS_DEFAULT)
    .action(async (_flags: ExportFlags, command: Command) => {
      await new ExportRun(command.optsWithGlobals<ExportFlags>(), context).run();
    });
}

class ExportRun {
  readonly #flags: ExportFlags;
  readonly #context: CommandContext;
  readonly #format: Format;
  readonly #progress: ExportProgress;
  #position: number | null = null;

  constructor(flags: ExportFlags, context: CommandContext) {
    this.#flags = flags;
    this.#context = context;
    this.#format = flags.format ?? formatOfName(flags.out ?? '');
    this.#progress = new ExportProgress(context.console, () => performance.now());
  }

  async run(): Promise<void> {
    const target = await this.#open();
    try {
      await this.#export(target);
      await target.finish();
    } catch (error) {
      this.#fail(error);
      return;
    } finally {
      this.#progress.end();
      await target.abandon();
    }
    this.#printSummary(target);
  }

  async #open(): Promise<ExportTarget> {
    const { console } = this.#context;
    const { out, overwrite = false } = this.#flags;
    if (out !== undefined) return FileTarget.open(out, { overwrite });
    const isBinary = this.#format === 'arrow' || this.#format === 'parquet';
    if (isBinary && console.isOutputTerminal) {
      throw new CliError(
        `${this.#format} is nothing for a terminal: name a file with --out, or pipe the output.`,
        EXIT.usage,
      );
    }
    return new StreamTarget(process.stdout, console.outputClosed);
  }

  #export(target: ExportTarget): Promise<void> {
    const client = connect(this.#flags, this.#context, {
      retryForMs: this.#flags.retryFor,
      onRetry: (notice) => this.#progress.waiting(notice),
    });
    const work = { client, target };
    switch (this.#format) {
      case 'ndjson':
        return this.#copy(work, { format: 'ndjson', read: readLines }, new NdjsonWriter(target));
      case 'csv':
        return this.#copy(work, ARROW, new CsvWriter(target));
      case 'arrow':
        return ArrowWriter.open(target).then((writer) => this.#copy(work, ARROW, writer));
      case 'parquet':
        return ParquetWriter.open(target).then((writer) => this.#copy(work, ARROW, writer));
    }
  }

  async #copy<T extends ExportPart>(
    { client, target }: { readonly client: AllSourceClient; readonly target: ExportTarget },
    source: Pick<ExportOptions<T>, 'format' | 'read'>,
    writer: ExportWriter<T>,
  ): Promise<void> {
    const { interruption, console } = this.#context;
    const parts = client.exportEvents(filterOf(this.#flags), {
      ...source,
      signal: AbortSignal.any([interruption.signal, console.outputClosed]),
      onStart: ({ count, position }) => {
        this.#progress.total = count;
        this.#position = position;
      },
    });
    for await (const part of parts) {
      await writer.write(part);
      this.#progress.add(part.events, target.bytesWritten);
    }
    await writer.end();
  }

  #fail(error: unknown): void {
    const { console, interruption } = this.#context;
    this.#progress.end();
    if (console.isOutputClosed) return;
    const left = this.#flags.out === undefined ? '' : ' Nothing was written.';
    if (interruption.isInterrupted) {
      console.complain(`Interrupted.${left}`);
      this.#context.exitCode = EXIT.interrupted;
      return;
    }
    console.complain(`${explainFailure(error)}${left}`);
    this.#context.exitCode = exitCodeOf(error);
  }

  /** On standard output when the data is elsewhere, else beside it. */
  #printSummary({ bytesWritten }: ExportTarget): void {
    const { console } = this.#context;
    const { out } = this.#flags;
    const format = outputFormat(this.#flags, { isTerminal: true, piped: 'table' });
    const { events, elapsedMs } = this.#progress;
    const line =
      format === 'table'
        ? `Exported ${formatCount(events)} events as of position ${this.#position ?? 0}: ${formatBytes(bytesWritten)} of ${this.#format}${out === undefined ? '' : ` in ${out}`}, ${formatDuration(elapsedMs)} (${formatCount(events / (elapsedMs / 1000))} events/s)`
        : JSON.stringify({
            file: out ?? null,
            format: this.#format,
            events,
            position: this.#position,
            bytes: bytesWritten,
            duration_ms: Math.round(elapsedMs),
          });
    if (out === undefined) console.complain(line);
    else console.print(line);
  }
}

const ARROW = { format: 'arrow', read: readArrow } as const;

function formatOfName(name: string): Format {
  const ending = name.toLowerCase().split('.').at(-1);
  if (ending === 'arrows') return 'arrow';
  return FORMATS.find((format) => format === ending) ?? 'ndjson';
}

function filterOf(flags: ExportFlags): ExportFilter {
  const type = flags.type === '*' ? undefined : flags.type;
  const isPrefix = type?.endsWith('*') === true;
  return {
    entityId: flags.entity,
    eventType: isPrefix ? undefined : type,
    eventTypePrefix: isPrefix ? type.slice(0, -1) : undefined,
    excludeEventTypePrefix: flags.excludeType,
    since: flags.since,
    until: flags.until,
    asOf: flags.asOf,
    payloadFilter: flags.payload,
    limit: flags.limit,
  };
}
