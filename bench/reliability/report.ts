import type { Machine } from '../environment.ts';
import type { ReliabilitySubject } from './subject.ts';
import type { DamageResult, KillResult } from './trials.ts';

export interface SubjectResult {
  readonly subject: Pick<ReliabilitySubject, 'name' | 'version' | 'setup'>;
  readonly kill: KillResult;
  readonly flip: DamageResult;
  readonly cutStopped: DamageResult;
  readonly cutKilled: DamageResult;
}

export interface ReliabilityReport {
  readonly takenAt: string;
  readonly machine: Machine;
  readonly results: readonly SubjectResult[];
}

/** The result as Markdown tables. */
export function reliabilityTable({ takenAt, machine, results }: ReliabilityReport): string {
  const { kernel, fileSystem, node, commit } = machine;
  return [
    `Taken ${takenAt} at commit ${commit}; Linux ${kernel}, ${fileSystem}, Node ${node}.`,
    '',
    '| store | version | set up |',
    '|---|---|---|',
    ...results.map(({ subject: s }) => row([s.name, s.version, s.setup])),
    '',
    'kill -9 under load, 8 clients, what was not acknowledged sent again under its key:',
    '',
    '| store | kills | acknowledged | lost | duplicated | wrong |',
    '|---|---|---|---|---|---|',
    ...results.map(({ subject, kill: k }) =>
      row([subject.name, k.kills, k.acknowledged, k.lost, k.duplicated, k.wrong]),
    ),
    ...damageTable(
      'One bit flipped in a file that holds events, after a clean stop:',
      results,
      'flip',
    ),
    ...damageTable('The newest such file cut short, after a clean stop:', results, 'cutStopped'),
    ...damageTable('The newest such file cut short, after a kill -9:', results, 'cutKilled'),
  ].join('\n');
}

function damageTable(
  title: string,
  results: readonly SubjectResult[],
  trial: 'flip' | 'cutStopped' | 'cutKilled',
): string[] {
  return [
    '',
    title,
    '',
    '| store | planted | start or read fails | harmless | fewer events, no error | events lost then, on average | wrong text served |',
    '|---|---|---|---|---|---|---|',
    ...results.map(({ subject, [trial]: result }) =>
      row([
        subject.name,
        result.planted,
        result.detected,
        result.harmless,
        result.shortened,
        result.eventsLost.toFixed(result.eventsLost === 0 ? 0 : 1),
        result.servedWrong,
      ]),
    ),
  ];
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
