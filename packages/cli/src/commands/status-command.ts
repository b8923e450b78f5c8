import {
  type AllSourceClient,
  AllSourceError,
  type ClusterNode,
  type ClusterStatus,
  type ServiceHealth,
} from '@allsource/client/tools';
import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from '../command-context.ts';
import { connect } from '../connection.ts';
import { EXIT, exitCodeOf, explainFailure } from '../exit-code.ts';
import { type Answer, parseAnswer, rowsOf } from '../projections/projection-answers.ts';
import { projectionsTable } from '../projections/projection-tables.ts';
import { outputFormat } from '../terminal/output-format.ts';
import { formatBytes, formatCount, formatDuration, formatTable } from '../terminal/table.ts';

const TIMEOUT_MS = 10_000;

/** Adds `allsource status`. */
export function addStatusCommand(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('Shows the health of the services, their positions and the totals.')
    .action(async (_flags: GlobalFlags, command: Command) => {
      await status(command.optsWithGlobals<GlobalFlags>(), context);
    });
}

/** What could be learned: the gateway's health, and the cluster unless that failed. */
interface Findings {
  readonly gateway: ServiceHealth;
  readonly cluster: ClusterStatus | null;
  /** The projections of the key's tenant, but for those of the store; none where they cannot be listed. */
  readonly projections: readonly Answer[];
  readonly failure: unknown;
}

async function status(flags: GlobalFlags, context: CommandContext): Promise<void> {
  const client = connect(flags, context, { retryForMs: 0, timeoutMs: TIMEOUT_MS });
  const findings = await findOut(client, context.interruption.signal);
  const { console } = context;
  const format = outputFormat(flags, { isTerminal: true, piped: 'table' });
  if (format === 'table') for (const line of asTable(findings)) console.print(line);
  else console.print(asJson(findings));
  if (findings.failure !== null) console.complain(explainFailure(findings.failure));
  context.exitCode = exitCode(findings);
}

async function findOut(client: AllSourceClient, signal: AbortSignal): Promise<Findings> {
  const gateway = await client.health({ signal });
  try {
    const cluster = await client.clusterStatus({ signal });
    return { gateway, cluster, projections: await ownProjections(client, signal), failure: null };
  } catch (error) {
    if (!(error instanceof AllSourceError)) throw error;
    return { gateway, cluster: null, projections: [], failure: error };
  }
}

/** Only own projections can be stopped, stalled or parked; the lag of the store's own is that of the query service. */
async function ownProjections(client: AllSourceClient, signal: AbortSignal): Promise<Answer[]> {
  try {
    const json = await client.ask({ method: 'GET', path: '/api/v1/projections' }, { signal });
    return rowsOf(parseAnswer(json), 'projections').filter((row) => 'wanted_status' in row);
  } catch (error) {
    // A service that is still reading them says so in its own row.
    if (error instanceof AllSourceError) return [];
    throw error;
  }
}

function exitCode({ gateway, cluster, failure }: Findings): number {
  if (failure !== null) return exitCodeOf(failure);
  const isHealthy = gateway.status === 'healthy' && cluster?.healthy === true;
  return isHealthy ? EXIT.ok : EXIT.unavailable;
}

function asJson({ gateway, cluster, projections }: Findings): string {
  return `{"gateway":${JSON.stringify(gateway)},"cluster":${cluster?.json ?? 'null'},"projections":${JSON.stringify(projections)}}`;
}

function asTable({ gateway, cluster, projections }: Findings): string[] {
  if (cluster === null) {
    const { service, status: word, version, fault } = gateway;
    return formatTable([
      ['SERVICE', 'STATUS', 'VERSION', ''],
      [service ?? 'query', word, version ?? '', fault ?? ''],
    ]);
  }
  return [
    ...formatTable([
      ['SERVICE', 'STATUS', 'POSITION', 'LAG', 'UP', 'ADDRESS', ''],
      ...cluster.nodes.map(nodeRow),
    ]),
    '',
    ...formatTable([
      ['events', shown(cluster.eventCount, formatCount)],
      ['entities', shown(cluster.streamCount, formatCount)],
      ['storage', shown(cluster.storageBytes, formatBytes)],
    ]),
    ...(projections.length === 0 ? [] : ['', ...projectionsTable(projections)]),
  ];
}

function nodeRow({ id, status: word, url, stats }: ClusterNode): string[] {
  const number = (name: string) => (typeof stats[name] === 'number' ? stats[name] : null);
  const fault = typeof stats['fault'] === 'string' ? stats['fault'] : '';
  return [
    id,
    word,
    shown(number('position'), formatCount),
    shown(number('lag_events'), formatCount),
    shown(number('uptime_seconds'), (seconds) => formatDuration(seconds * 1000)),
    url,
    fault,
  ];
}

function shown(value: number | null, format: (value: number) => string): string {
  return value === null ? '-' : format(value);
}
