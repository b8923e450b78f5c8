/** The table that people read. */
import type { Machine } from './environment.ts';
import type { Measurement, Sample } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import { median, range } from './statistics.ts';
import { CORE } from './subjects/core.ts';
import { INGEST_PROBE } from './subjects/peers.ts';
import type { MissingSubject, Subject } from './subjects/subject.ts';

/** Everything of one run, as it is written to results/latest.json. */
export interface BenchReport {
  readonly takenAt: string;
  readonly machine: Machine;
  readonly loadAverageBefore: number;
  readonly loadAverageAfter: number;
  readonly options: BenchOptions;
  readonly subjects: readonly Omit<Subject, 'start'>[];
  readonly notMeasured: readonly MissingSubject[];
  readonly measurements: readonly Measurement[];
}

/** The samples that count: those that are not void, or all of them where every one is. */
export function countedSamples({ samples }: Measurement): readonly Sample[] {
  const valid = samples.filter((sample) => !sample.isVoid);
  return valid.length > 0 ? valid : samples;
}

/** Whether nothing of a measurement counts. */
export function isAllVoid({ samples }: Measurement): boolean {
  return samples.every((sample) => sample.isVoid);
}

/** The median value of the samples that count. */
export function medianValue(measurement: Measurement): number {
  return median(countedSamples(measurement).map(({ value }) => value));
}

/** The whole report as text. */
export function reportText(report: BenchReport): string {
  const durable = report.measurements.filter(({ isDurable }) => isDurable);
  const risky = report.measurements.filter(({ isDurable }) => !isDurable);
  return [
    heading(report),
    tableText(durable),
    ...(risky.length === 0
      ? []
      : ['They acknowledge before anything is on the disk, so this is no equal comparison:']),
    ...(risky.length === 0 ? [] : [tableText(risky)]),
    ratiosText(durable),
    notesText(report),
    probeText(durable),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .split('\n')
    .map(folded)
    .join('\n');
}

/** Breaks a line that is too long between words, and indents what follows. */
function folded(line: string): string {
  if (line.length <= LINE_CHARACTERS_MAX) return line;
  const at = line.lastIndexOf(' ', LINE_CHARACTERS_MAX);
  if (line.slice(0, at).trim() === '') return line;
  return `${line.slice(0, at)}\n${folded(`      ${line.slice(at + 1)}`)}`;
}

function heading(report: BenchReport): string {
  const { machine, options, loadAverageBefore, loadAverageAfter } = report;
  return [
    `AllSource benchmark of ${report.takenAt}, commit ${machine.commit}${options.isQuick ? ' (quick: figures are rough, and not all cases)' : ''}`,
    `${machine.processors} x ${machine.processor}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, ${machine.fileSystem}, Node ${machine.node}`,
    `load average ${loadAverageBefore.toFixed(2)} before, ${loadAverageAfter.toFixed(2)} after; servers and load share the machine`,
    `events of ${options.eventBytes} bytes; ${options.repetitions} interleaved runs of ${options.durationMs / 1000} s after ${options.warmupMs / 1000} s; medians [range], latencies in ms`,
    ...report.subjects.map(({ name, version, ack }) => `  ${name}: ${version}; ack ${ack}`),
    ...report.notMeasured.map(({ name, missing }) => `  ${name}: NOT MEASURED, ${missing}`),
  ].join('\n');
}

const PROBE_SHARE_AIM = 0.75;
const LINE_CHARACTERS_MAX = 120;

const COLUMNS = [
  'subject',
  'client',
  'median',
  'range',
  'p50',
  'p99',
  'p99.9',
  'max',
  'floor',
  'x floor',
  'valid',
];

function tableText(measurements: readonly Measurement[]): string {
  const titles = [...new Set(measurements.map(headingOf))];
  const rows = measurements.map(row);
  const widths = COLUMNS.map((name, column) =>
    Math.max(name.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => pad(cell, { column, width: widths[column] ?? 0 })).join('  ');
  const groups = titles.flatMap((title) => [
    `-- ${title}`,
    ...measurements.flatMap((measurement, index) =>
      headingOf(measurement) === title ? [line(rows[index] ?? [])] : [],
    ),
  ]);
  return [line(COLUMNS), ...groups].join('\n').replaceAll(/ +$/gm, '');
}

function headingOf({ caseName, title, unit }: Measurement): string {
  return `${caseName} ${title}: ${unit}`;
}

function row(measurement: Measurement): string[] {
  const { subject, client, samples } = measurement;
  if (samples.length === 0) return [subject, client, 'failed'];
  const counted = countedSamples(measurement);
  const values = range(counted.map(({ value }) => value));
  const floorMs = median(counted.flatMap((one) => [one.floorBeforeMs, one.floorAfterMs]));
  const p50Ms = median(counted.map(({ latency }) => latency?.p50Ms ?? Number.NaN));
  const valid = samples.filter((sample) => !sample.isVoid).length;
  return [
    subject,
    client,
    `${figure(medianValue(measurement))}${isAllVoid(measurement) ? ' VOID' : ''}`,
    `[${figure(values.min)}-${figure(values.max)}]`,
    milliseconds(p50Ms),
    milliseconds(median(counted.map(({ latency }) => latency?.p99Ms ?? Number.NaN))),
    milliseconds(median(counted.map(({ latency }) => latency?.p999Ms ?? Number.NaN))),
    milliseconds(median(counted.map(({ latency }) => latency?.maxMs ?? Number.NaN))),
    milliseconds(floorMs),
    Number.isNaN(p50Ms) ? '' : (p50Ms / floorMs).toFixed(1),
    `${valid}/${samples.length}`,
  ];
}

/** Ours over each other subject's, case by case, where client and work are the same. The ingest probe, a bar and no peer, has a block of its own. */
function ratiosText(measurements: readonly Measurement[]): string {
  const ours = measurements.filter(({ subject }) => subject === CORE);
  const lines = ours.flatMap((own) => {
    const others = measurements.filter(
      (other) =>
        other.title === own.title &&
        other.client === own.client &&
        other.subject !== own.subject &&
        (other.subject !== INGEST_PROBE || own.caseName === 'P19') &&
        other.samples.length > 0,
    );
    if (others.length === 0 || own.samples.length === 0) return [];
    const ratios = others.map(
      (other) => `${(medianValue(own) / medianValue(other)).toFixed(2)}x ${other.subject}`,
    );
    return [`  ${own.caseName} ${own.title}, ${own.client}: ${ratios.join(', ')}`];
  });
  return lines.length === 0
    ? ''
    : ['AllSource core over the others (of ms and bytes, less is better):', ...lines].join('\n');
}

/** The share of the bar that core reaches. */
function probeText(measurements: readonly Measurement[]): string {
  const lines = measurements.flatMap((probe) => {
    if (probe.subject !== INGEST_PROBE || probe.caseName === 'P19') return [];
    const own = measurements.find(
      ({ subject, title, client }) =>
        subject === CORE && title === probe.title && client === probe.client,
    );
    if (own === undefined || own.samples.length === 0 || probe.samples.length === 0) return [];
    const share = (medianValue(own) / medianValue(probe)).toFixed(2);
    return [`  ${own.caseName} ${own.title}, ${own.client}: ${share}`];
  });
  const head = `AllSource core over the ingest probe (aim: ${PROBE_SHARE_AIM} in batches):`;
  return lines.length === 0 ? '' : [head, ...lines].join('\n');
}

function notesText({ measurements }: BenchReport): string {
  return measurements
    .flatMap((measurement) => {
      const { caseName, subject, client, fault } = measurement;
      const name = `${caseName} ${subject} (${client})`;
      const notes = countedSamples(measurement).flatMap(({ note }) => note ?? []);
      return [
        ...(notes.length === 0 ? [] : [`${name}: ${notes.join('; ')}`]),
        ...(fault === null ? [] : [`${name} failed: ${fault}`]),
      ];
    })
    .join('\n');
}

function pad(cell: string, { column, width }: { column: number; width: number }): string {
  return column < 2 ? cell.padEnd(width) : cell.padStart(width);
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}

function milliseconds(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(value < 10 ? 3 : 1);
}
