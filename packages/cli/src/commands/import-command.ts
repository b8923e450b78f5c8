import { type AllSourceClient, AllSourceError } from '@allsource/client/tools';
import { LIMITS } from '@allsource/shared/limits';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { EXIT, exitCodeOf, explainFailure } from '../exit-code.ts';
import { BatchCutter } from '../import/batch-cutter.ts';
import { agreeOnBatchSize } from '../import/batch-size-memory.ts';
import { identify, type ImportIdentity } from '../import/import-identity.ts';
import { ImportReport } from '../import/import-report.ts';
import { ImportSource } from '../import/import-source.ts';
import { Importer } from '../import/importer.ts';
import { LineSplitter } from '../import/line-splitter.ts';
import { Progress } from '../import/progress.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { formatCount, formatDuration, formatTable, withoutControls } from '../terminal/table.ts';
import { timeSpanMs, wholeNumber } from './flag-values.ts';

interface ImportFlags extends GlobalFlags {
  readonly batchSize: number;
  readonly importId?: string;
  readonly report?: string;
  readonly retryFor: number;
}

const BATCH_SIZE_DEFAULT = 1000;
/** Bytes of a batch: a quarter of what a request may have, so that one batch is not long under way. */
const BATCH_BYTES_MAX = LIMITS.bodyBytesMax / 4;
/** The braces and names around the only event of a batch. */
const BATCH_FRAME_BYTES = 64;
const RETRY_FOR_MS_DEFAULT = 60_000;

/** Adds `allsource import FILE|-`. */
export function addImportCommand(program: Command, context: CommandContext): void {
  program
    .command('import')
    .description(
      'Appends the events of a file, one JSON object a line; gzip is recognized. The same import can be started again: what is stored is not stored twice.',
    )
    .argument('<file>', 'the file, or - for standard input')
    .option(
      '--batch-size <n>',
      'events appended together; an import that is continued keeps that of its first run',
      wholeNumber(1, LIMITS.batchEventsMax),
      BATCH_SIZE_DEFAULT,
    )
    .option('--import-id <name>', 'name of this import; default: its content')
    .option('--report <file>', 'write every refused line to this file, one JSON object a line')
    .option('--retry-for <time>', 'how long an outage is bridged', timeSpanMs, RETRY_FOR_MS_DEFAULT)
    .action(async (file: string, _flags: ImportFlags, command: Command) => {
      await new ImportRun(file, command.optsWithGlobals<ImportFlags>(), context).run();
    });
}

class ImportRun {
  readonly #flags: ImportFlags;
  readonly #context: CommandContext;
  readonly #source: ImportSource;
  readonly #report: ImportReport;
  readonly #progress: Progress;
  #identity: ImportIdentity | null = null;

  constructor(file: string, flags: ImportFlags, context: CommandContext) {
    this.#flags = flags;
    this.#context = context;
    this.#source = new ImportSource(file, {
      stdin: process.stdin,
      signal: context.interruption.signal,
    });
    this.#report = new ImportReport(flags.report ?? null);
    this.#progress = new Progress({
      console: context.console,
      source: this.#source,
      report: this.#report,
      nowMs: () => performance.now(),
    });
  }

  async run(): Promise<void> {
    const failure = await this.#import();
    this.#progress.end();
    this.#report.close();
    this.#printSummary(failure);
    this.#context.exitCode = this.#exitCode(failure);
  }

  /** Imports; returns what ended it early, or null. */
  async #import(): Promise<unknown> {
    const { signal } = this.#context.interruption;
    const client = connect(this.#flags, this.#context, {
      retryForMs: this.#flags.retryFor,
      onRetry: (notice) => this.#progress.waiting(notice),
    });
    try {
      this.#identity = await identify(this.#source, this.#flags.importId ?? null);
      const linesMax = await this.#batchSize(client, this.#identity);
      await new Importer({
        client,
        source: this.#source,
        splitter: new LineSplitter(LIMITS.bodyBytesMax - BATCH_FRAME_BYTES),
        cutter: new BatchCutter({ linesMax, bytesMax: BATCH_BYTES_MAX }),
        identity: this.#identity,
        report: this.#report,
        signal,
        onProgress: () => this.#progress.update(),
      }).run();
      return null;
    } catch (error) {
      return error;
    }
  }

  async #batchSize(client: AllSourceClient, identity: ImportIdentity): Promise<number> {
    const { signal } = this.#context.interruption;
    const wanted = this.#flags.batchSize;
    const agreed = await agreeOnBatchSize({ client, importId: identity.id, wanted, signal });
    if (agreed !== wanted) {
      this.#context.console.complain(
        `This import was begun with --batch-size ${agreed} and goes on with it, so that nothing is stored twice.`,
      );
    }
    return agreed;
  }

  #exitCode(failure: unknown): number {
    if (this.#context.interruption.isInterrupted) return EXIT.interrupted;
    if (failure !== null) return exitCodeOf(failure);
    const { refused, storedDifferently } = this.#report;
    return refused + storedDifferently > 0 ? EXIT.failure : EXIT.ok;
  }

  #printSummary(failure: unknown): void {
    const { console } = this.#context;
    const format = outputFormat(this.#flags, { isTerminal: true, piped: 'table' });
    if (format === 'table') for (const line of this.#summaryLines(failure)) console.print(line);
    else console.print(JSON.stringify(this.#summaryJson(failure)));
    if (failure !== null) for (const line of this.#failureLines(failure)) console.complain(line);
  }

  #summaryLines(failure: unknown): string[] {
    const { linesRead, blankLines, appended, alreadyThere, refused, storedDifferently } =
      this.#report;
    const rate = appended / (this.#progress.elapsedMs / 1000);
    const rows = [
      ['lines read', formatCount(linesRead)],
      ['appended', formatCount(appended)],
      ['already there', formatCount(alreadyThere)],
      ['refused', formatCount(refused)],
      ...(blankLines === 0 ? [] : [['blank lines', formatCount(blankLines)]]),
      ...(storedDifferently === 0 ? [] : [['stored differently', formatCount(storedDifferently)]]),
      ['took', `${formatDuration(this.#progress.elapsedMs)} (${formatCount(rate)} events/s)`],
    ];
    return [
      `${failure === null ? 'Imported' : 'Not finished:'} ${this.#source.name}`,
      ...formatTable(rows).map((row) => `  ${row}`),
      ...this.#refusalLines(),
      ...(storedDifferently === 0 ? [] : [STORED_DIFFERENTLY]),
    ];
  }

  #refusalLines(): string[] {
    const { refused, shownRefusals } = this.#report;
    if (refused === 0) return [];
    const left = refused - shownRefusals.length;
    return [
      'Refused:',
      ...shownRefusals.map(({ line, reason }) => `  line ${line}: ${withoutControls(reason)}`),
      ...(left === 0 ? [] : [`  and ${formatCount(left)} more${this.#reportHint()}`]),
    ];
  }

  #reportHint(): string {
    const { report } = this.#flags;
    return report === undefined ? '; --report FILE writes all of them to a file' : ` in ${report}`;
  }

  #summaryJson(failure: unknown): Record<string, unknown> {
    const report = this.#report;
    return {
      source: this.#source.name,
      import_id: this.#identity?.id ?? null,
      completed: failure === null,
      lines_read: report.linesRead,
      blank_lines: report.blankLines,
      events_appended: report.appended,
      events_already_there: report.alreadyThere,
      lines_refused: report.refused,
      lines_stored_differently: report.storedDifferently,
      refusals: report.shownRefusals,
      duration_ms: Math.round(this.#progress.elapsedMs),
      error: failure === null ? null : failureJson(failure),
    };
  }

  #failureLines(failure: unknown): string[] {
    const resume =
      'Run the same command again to continue: what is stored is recognized and not stored twice.';
    if (this.#context.interruption.isInterrupted) return [`Interrupted. ${resume}`];
    return exitCodeOf(failure) === EXIT.unavailable
      ? [explainFailure(failure), resume]
      : [explainFailure(failure)];
  }
}

const STORED_DIFFERENTLY =
  'Stored differently: an earlier run of this import has stored these batches with other lines (some were refused then, or the file under this --import-id has changed). They were left as they are.';

function failureJson(failure: unknown): Record<string, unknown> {
  return {
    code: failure instanceof AllSourceError ? failure.code : 'failure',
    message: explainFailure(failure),
  };
}
