/**
 * What `allsource doctor --url` finds out about a running store: whether the gateway answers and is ready, and with an admin key what each service says of
 * itself. Core's metrics are asked for at core's own address, which is reachable on one machine and seldom from outside a cluster.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AllSourceError, type ClusterNode, type ClusterStatus } from '@allsource/client/tools';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { explainFailure } from '../exit-code.ts';
import { formatCount } from '../terminal/table.ts';
import { adviceFor } from './advice.ts';
import { derivedChecks } from './examine-derived.ts';
import type { ExaminedNode } from './examined-node.ts';

const TIMEOUT_MS = 5_000;
/** Between the two looks that tell a read side that stands still from one that is on its way. */
const LOOK_AGAIN_MS = 1_000;
/** Events behind which a read side is worth a line even while it catches up. */
const LAG_EVENTS_MAX = 100_000;

/** Examines a running store. The first check says whether it answers at all. */
export async function examineNode(node: ExaminedNode): Promise<InspectionCheck[]> {
  const live = await livenessCheck(node);
  if (live.status === 'fault') return [live];
  const checks = [live, await readinessCheck(node)];
  let cluster: ClusterStatus;
  try {
    cluster = await node.client.clusterStatus({ signal: node.signal });
  } catch (error) {
    if (!(error instanceof AllSourceError)) throw error;
    return [...checks, unseenCluster(error)];
  }
  return [
    ...checks,
    ...cluster.nodes.map(serviceCheck),
    versionCheck(cluster),
    ...(await lagChecks(node, cluster)),
    ...(await natsChecks(node, cluster)),
    ...(await derivedChecks(node)),
  ];
}

function check(
  name: string,
  evidence: string,
  wrong: Pick<InspectionCheck, 'status' | 'advice'> = { status: 'ok', advice: null },
): InspectionCheck {
  return { record: 'check', check: name, evidence, ...wrong };
}

async function livenessCheck({ url, signal }: ExaminedNode): Promise<InspectionCheck> {
  const answer = await ask(`${url}/livez`, signal);
  if (answer?.ok === true) return check('gateway', `${url} answers.`);
  const evidence =
    answer === null ? `${url} does not answer.` : `${url}/livez answers ${answer.status}.`;
  const advice =
    'Is the store running there, and is the address right? On its machine, `allsource doctor DATA_FOLDER` says what keeps it from starting.';
  return check('gateway', evidence, { status: 'fault', advice });
}

interface ReadyAnswer {
  readonly checks?: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly detail?: string;
  }[];
}

async function readinessCheck({ url, signal }: ExaminedNode): Promise<InspectionCheck> {
  const answer = await ask(`${url}/readyz`, signal);
  if (answer?.ok === true) return check('ready', 'The gateway is ready.');
  const { checks = [] } = parsed<ReadyAnswer>(answer?.text ?? '');
  const failed = checks.filter(({ ok }) => !ok);
  const [first] = failed;
  if (first === undefined)
    return check('ready', `${url}/readyz answers ${answer?.status ?? 'nothing'}.`, {
      status: 'fault',
      advice: 'Look at the log of the query service.',
    });
  const evidence = failed.map(({ name, detail }) => `${name}: ${detail ?? 'failing'}`).join('; ');
  return check('ready', `The gateway is not ready. ${evidence}.`, {
    status: 'fault',
    advice: adviceFor(evidence),
  });
}

function unseenCluster(error: AllSourceError): InspectionCheck {
  const isRight = error.status === 401 || error.status === 403;
  return check(
    'services',
    `The services behind the gateway could not be asked: ${explainFailure(error)}`,
    {
      status: isRight ? 'warning' : 'fault',
      advice: isRight
        ? 'Give an admin key (ALLSOURCE_API_KEY, --api-key).'
        : 'Is the control plane running, and does the gateway know it (CONTROL_PLANE_URL)?',
    },
  );
}

function serviceCheck({ id, status, url, stats }: ClusterNode): InspectionCheck {
  const position =
    typeof stats['position'] === 'number' ? `, position ${formatCount(stats['position'])}` : '';
  if (status === 'healthy') return check(id, `Healthy at ${url}${position}.`);
  const reason = typeof stats['fault'] === 'string' ? stats['fault'] : 'it gives no reason';
  return check(id, `It is ${status} at ${url}${position}: ${reason}`, {
    status: 'fault',
    advice: adviceFor(reason),
  });
}

function versionCheck({ nodes }: ClusterStatus): InspectionCheck {
  const versions = nodes.flatMap(({ id, stats }) =>
    typeof stats['version'] === 'string' ? [`${id} ${stats['version']}`] : [],
  );
  const distinct = new Set(versions.map((text) => text.split(' ').at(-1)));
  if (distinct.size <= 1)
    return check('versions', `All services say version ${[...distinct].join()}.`);
  return check('versions', `The services are of different versions: ${versions.join(', ')}.`, {
    status: 'warning',
    advice: 'Finish the update: all three services are released together.',
  });
}

/** A read side that lags is looked at twice: one that moves will be there soon. */
async function lagChecks(
  { client, signal }: ExaminedNode,
  first: ClusterStatus,
): Promise<InspectionCheck[]> {
  const lagging = first.nodes.filter((node) => lagOf(node) > 0);
  if (lagging.length === 0) return [check('lag', 'Every service has read all there is.')];
  await sleep(LOOK_AGAIN_MS, undefined, { signal });
  const second = await client.clusterStatus({ signal });
  return lagging.map((before) => {
    const after = second.nodes.find(({ id }) => id === before.id) ?? before;
    const moved = Number(after.stats['position'] ?? 0) - Number(before.stats['position'] ?? 0);
    const evidence = `${before.id} was ${formatCount(lagOf(before))} events behind, and ${formatCount(lagOf(after))} a second later; it read ${formatCount(moved)} meanwhile.`;
    if (lagOf(after) === 0 || (moved > 0 && lagOf(after) < LAG_EVENTS_MAX))
      return check('lag', evidence);
    return check('lag', evidence, {
      status: 'warning',
      advice:
        moved > 0
          ? 'It is catching up; reads wait for it or answer 503 with the lag. If it stays so, give the service more CPU.'
          : `It stands still: look at /readyz and the log of ${before.id}.`,
    });
  });
}

function lagOf({ stats }: ClusterNode): number {
  return typeof stats['lag_events'] === 'number' ? stats['lag_events'] : 0;
}

async function natsChecks(
  { signal }: ExaminedNode,
  { nodes }: ClusterStatus,
): Promise<InspectionCheck[]> {
  const core = nodes.find(({ type }) => type === 'event-store');
  if (core === undefined || core.status === 'unreachable') return [];
  const answer = await ask(`${core.url}/metrics`, signal);
  if (answer?.ok !== true)
    return [check('nats', `Not looked at: ${core.url} cannot be reached from here.`)];
  const value = /^allsource_nats_connected(?:\{[^}]*\})? (\d)/m.exec(answer.text)?.[1];
  if (value === undefined) return [check('nats', 'Core runs without NATS.')];
  if (value === '1') return [check('nats', 'Core is connected to NATS.')];
  return [
    check('nats', 'Core is not connected to NATS.', {
      status: 'warning',
      advice:
        'Start NATS or correct NATS_URL. Nothing is lost meanwhile: readers follow core directly, and events on NATS subjects are not sent.',
    }),
  ];
}

interface Asked {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
}

/** The answer to a public route; null when there is none. */
async function ask(url: string, signal: AbortSignal): Promise<Asked | null> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      redirect: 'error',
    });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

function parsed<T extends object>(text: string): Partial<T> {
  try {
    return JSON.parse(text) as Partial<T>;
  } catch {
    // A proxy's page: it has none of the members.
    return {};
  }
}
