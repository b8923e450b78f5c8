/** What `allsource doctor --url` finds out about the projections and pipelines of the key's tenant: what has failed, stands still or waits for somebody. */
import { AllSourceError } from '@allsource/client/tools';
import type { CheckStatus, InspectionCheck } from '@allsource/shared/protocol';
import { type Answer, parseAnswer, rowsOf, shown } from '../projections/projection-answers.ts';
import { formatCount } from '../terminal/table.ts';
import type { ExaminedNode } from './examined-node.ts';

/** So many are told one by one; of more, how many there are. */
const TOLD_MAX = 5;

interface Finding {
  readonly status: CheckStatus;
  readonly evidence: string;
  readonly advice: string;
}

/** Examines what is computed from the events; nothing where the key may not look. */
export async function derivedChecks(node: ExaminedNode): Promise<InspectionCheck[]> {
  const [projections, pipelines] = await Promise.all([
    rowsAt(node, '/api/v1/projections', 'projections'),
    rowsAt(node, '/api/v1/pipelines/stats', 'stats'),
  ]);
  return [
    ...checksOf('projections', projections, projectionFindings),
    ...checksOf('pipelines', pipelines, pipelineFindings),
  ];
}

async function rowsAt(
  { client, signal }: ExaminedNode,
  path: string,
  member: string,
): Promise<Answer[] | null> {
  try {
    return rowsOf(parseAnswer(await client.ask({ method: 'GET', path }, { signal })), member);
  } catch (error) {
    // What keeps the gateway from answering has a check of its own.
    if (error instanceof AllSourceError) return null;
    throw error;
  }
}

function checksOf(
  name: string,
  rows: readonly Answer[] | null,
  findingsOf: (row: Answer) => Finding[],
): InspectionCheck[] {
  if (rows === null) return [];
  const findings = rows.flatMap(findingsOf);
  const check = (finding: Omit<Finding, 'advice'> & Pick<InspectionCheck, 'advice'>) =>
    ({ record: 'check', check: name, ...finding }) as const;
  if (findings.length === 0)
    return [check({ status: 'ok', evidence: allWell(rows.length, name), advice: null })];
  const told = findings.slice(0, TOLD_MAX).map(check);
  const more = findings.length - told.length;
  if (more === 0) return told;
  const evidence = `${formatCount(more)} more of the kind.`;
  return [...told, check({ status: 'warning', evidence, advice: 'Look at all of them.' })];
}

function allWell(count: number, name: string): string {
  return count === 0
    ? `The tenant has no ${name}.`
    : `None of ${formatCount(count)} needs anybody.`;
}

function projectionFindings(row: Answer): Finding[] {
  const name = shown(row['name']);
  const why = typeof row['detail'] === 'string' ? `: ${row['detail']}` : '';
  const parked = Number(row['parked_entities'] ?? 0);
  const findings: Finding[] = [];
  if (row['status'] === 'failed')
    findings.push({
      status: 'fault',
      evidence: `'${name}' has failed${why}`,
      advice: `Mend its definition (PATCH /api/v1/projections/${name}), or \`allsource projections start ${name}\` to try again.`,
    });
  else if (row['is_stalled'] === true)
    findings.push({
      status: 'fault',
      evidence: `'${name}' is ${shown(row['lag_events'])} events behind and makes no progress${why}`,
      advice: `\`allsource projections show ${name}\` shows more; look at the log of the query service.`,
    });
  if (parked > 0)
    findings.push({
      status: 'warning',
      evidence: `'${name}' has parked ${parked === 1 ? '1 entity' : `${formatCount(parked)} entities`}: later events of the same wait.`,
      advice: `\`allsource projections parked ${name}\` says why; mend it, then \`allsource projections retry ${name}\`.`,
    });
  return findings;
}

function pipelineFindings(row: Answer): Finding[] {
  const id = shown(row['pipeline_id']);
  const why = typeof row['detail'] === 'string' ? `: ${row['detail']}` : '';
  const deadLetters = Number(row['dead_letters'] ?? 0);
  const findings: Finding[] = [];
  if (row['status'] === 'failed' || row['status'] === 'waiting')
    findings.push({
      status: row['status'] === 'failed' ? 'fault' : 'warning',
      evidence: `${id} is ${row['status']}${why}`,
      advice: `GET /api/v1/pipelines/${id}/stats shows where it stands.`,
    });
  if (deadLetters > 0)
    findings.push({
      status: 'warning',
      evidence: `${id} has ${formatCount(deadLetters)} dead letters: outputs that could not be written or delivered.`,
      advice: `GET /api/v1/pipelines/${id}/dead-letters says why; POST .../dead-letters/retry tries them again.`,
    });
  return findings;
}
