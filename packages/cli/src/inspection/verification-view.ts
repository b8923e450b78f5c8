import type {
  InspectionFailure,
  InspectionFinding,
  InspectionProgress,
  InspectionRecord,
  InspectionStart,
  InspectionSummary,
} from '@allsource/shared/protocol';
import { CliError, EXIT } from '../exit-code.ts';
import type { Console } from '../terminal/console.ts';
import type { OutputFormat } from '../terminal/output-format.ts';
import { formatBytes, formatCount, formatDuration, formatTable } from '../terminal/table.ts';
import { StatusLine } from '../terminal/status-line.ts';

/** Findings of one kind that a table shows; the others are counted. */
const SHOWN_MAX = 50;
/** Findings that one JSON object holds; `--output ndjson` has no limit. */
const JSON_FINDINGS_MAX = 10_000;
const RANGES_SHOWN_MAX = 8;

export interface VerificationViewOptions {
  readonly console: Console;
  readonly format: OutputFormat;
  /** What is verified, for the heading. */
  readonly subject: string;
  readonly nowMs: () => number;
}

/** Shows a verification: its progress as it goes, then what it found. */
export class VerificationView {
  readonly #options: VerificationViewOptions;
  readonly #line: StatusLine;
  readonly #findings: InspectionFinding[] = [];
  readonly #startedAtMs: number;
  #start: InspectionStart | null = null;

  constructor(options: VerificationViewOptions) {
    this.#options = options;
    this.#line = new StatusLine(options.console, options.nowMs);
    this.#startedAtMs = options.nowMs();
  }

  /** Shows all records to the end and returns the summary. Throws when the inspection failed or was cut. */
  async show(records: AsyncIterable<InspectionRecord>): Promise<InspectionSummary> {
    try {
      for await (const record of records) {
        if (record.record === 'failure') throw failureOf(record);
        this.#take(record);
        if (record.record === 'summary') return record;
      }
    } finally {
      this.#line.end();
    }
    throw new CliError(
      'The verification ended before its summary: it was cut off on the way.',
      EXIT.unavailable,
    );
  }

  #take(record: InspectionRecord): void {
    const { console, format } = this.#options;
    if (record.record === 'start') this.#start = record;
    if (record.record === 'progress') this.#line.show(() => this.#progressText(record));
    if (record.record === 'finding' && this.#findings.length < JSON_FINDINGS_MAX)
      this.#findings.push(record);
    if (format === 'ndjson' && record.record !== 'progress') console.print(JSON.stringify(record));
    if (record.record === 'summary' && format === 'json') this.#printJson(record);
    if (record.record === 'summary' && format === 'table') this.#printTable(record);
  }

  #progressText({ bytes, bytes_total: total, events, position }: InspectionProgress): string {
    const seconds = Math.max(0.001, (this.#options.nowMs() - this.#startedAtMs) / 1000);
    const percent = Math.floor((100 * bytes) / Math.max(1, total));
    return `${percent}%  ${formatBytes(bytes)} of ${formatBytes(total)}, ${formatBytes(bytes / seconds)}/s, ${formatCount(events)} events, position ${formatCount(position)}`;
  }

  #printJson(summary: InspectionSummary): void {
    const { record: _, ...facts } = summary;
    const found = summary.damages + summary.notices;
    const result = {
      subject: this.#options.subject,
      owner: this.#start?.owner ?? null,
      up_to: this.#start?.up_to ?? null,
      ...facts,
      findings: this.#findings.map(({ record: __, ...finding }) => finding),
      findings_left_out: found - this.#findings.length,
    };
    this.#options.console.print(JSON.stringify(result));
  }

  #printTable(summary: InspectionSummary): void {
    const { console, subject } = this.#options;
    const seconds = Math.max(0.001, summary.duration_ms / 1000);
    const rows = [
      ['log', summary.log_id ?? 'unknown'],
      [
        'read',
        `${summary.segments} segments, ${formatBytes(summary.bytes)}, ${formatCount(summary.events)} events of ${formatCount(summary.entities)} entities`,
      ],
      [
        'ends at position',
        `${formatCount(summary.head)}${summary.recorded_at === null ? '' : `, recorded ${summary.recorded_at}`}`,
      ],
      ['intact', intactText(summary)],
      [
        'took',
        `${formatDuration(summary.duration_ms)} (${formatBytes(summary.bytes / seconds)}/s)`,
      ],
    ];
    console.print(`Verified ${subject}: ${verdict(summary)}`);
    for (const row of formatTable(rows)) console.print(`  ${row}`);
    for (const line of this.#ownerLines(summary.head)) console.print(line);
    this.#printFindings('Damage', 'damage', summary.damages);
    this.#printFindings('Worth knowing', 'notice', summary.notices);
    if (summary.damages > 0) for (const line of WHAT_TO_DO) console.print(line);
  }

  #ownerLines(head: number): string[] {
    const { owner, up_to: upTo } = this.#start ?? {};
    if (upTo === null || upTo === undefined) return [];
    const who =
      owner === null || owner === undefined
        ? 'A node'
        : `${owner.owner} (process ${owner.pid ?? 'unknown'})`;
    return [
      `  ${who} has this log open: it was verified up to position ${formatCount(head)}. What is being written meanwhile is not looked at.`,
    ];
  }

  #printFindings(heading: string, severity: InspectionFinding['severity'], total: number): void {
    if (total === 0) return;
    const { console } = this.#options;
    const shown = this.#findings.filter((each) => each.severity === severity).slice(0, SHOWN_MAX);
    console.print('');
    console.print(`${heading} (${formatCount(total)}):`);
    const rows = [['SEGMENT', 'BYTES', 'POSITIONS', 'WHAT'], ...shown.map(findingRow)];
    for (const row of formatTable(rows)) console.print(`  ${row}`);
    if (total > shown.length)
      console.print(`  and ${formatCount(total - shown.length)} more; --output ndjson lists all`);
  }
}

const WHAT_TO_DO = [
  '',
  'What to do: change nothing in the folder. Copy it, restore the files named above from a backup, and verify again.',
  'docs/guides/operations.md says how, and what is possible without a backup.',
];

function failureOf({ code, message }: InspectionFailure): CliError {
  return new CliError(message, code === 'not_found' ? EXIT.notFound : EXIT.failure);
}

function verdict({ damages, notices }: InspectionSummary): string {
  if (damages > 0)
    return `DAMAGED in ${formatCount(damages)} ${damages === 1 ? 'place' : 'places'}`;
  return notices > 0 ? 'intact' : 'intact, nothing to report';
}

function intactText({
  head,
  intact,
  intact_events: events,
  intact_range_count: count,
}: InspectionSummary): string {
  if (head === 0) return 'the log is empty';
  if (events === head) return 'all';
  const shown = intact
    .slice(0, RANGES_SHOWN_MAX)
    .map((range) => rangeText(...range))
    .join(', ');
  const more =
    count > RANGES_SHOWN_MAX ? ` and ${formatCount(count - RANGES_SHOWN_MAX)} ranges more` : '';
  return `${formatCount(events)} of ${formatCount(head)} positions: ${shown === '' ? 'none' : shown}${more}`;
}

function findingRow(found: InspectionFinding): string[] {
  const {
    segment,
    offset,
    end_offset: endOffset,
    first_position: first,
    last_position: last,
  } = found;
  return [
    segment ?? '-',
    offset === null || endOffset === null ? '-' : `${offset}-${endOffset}`,
    positionsText(first, last),
    found.reason,
  ];
}

function positionsText(first: number | null, last: number | null): string {
  if (first === null) return '-';
  return last === null ? `${first} and after` : rangeText(first, last);
}

function rangeText(first: number, last: number): string {
  return first === last ? String(first) : `${first}-${last}`;
}
