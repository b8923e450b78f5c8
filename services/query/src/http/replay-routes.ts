/**
 * Replays: they are started, watched, cancelled and their records deleted. Two generations of clients know them in two shapes: below /api/v1 as
 * plain answers, below /api in a `data` member and with other statuses. A replay is the tenant's own.
 */
import { problem } from '@allsource/shared/errors';
import type { Clock } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import type { OwnProjections } from '../own-projections/own-projections.ts';
import { analysedProjection, type OwnReplays } from '../own-projections/own-replays.ts';
import { builtInProjection } from '../projections/built-in.ts';
import type { Projection } from '../projections/projection.ts';
import { type CountedHistory, countMatching } from '../replay/count-matching.ts';
import type { ReadGate } from '../reads/read-gate.ts';
import { analyseReplay } from '../replay/replay-analysis.ts';
import { isEnded, type ReplayRecord } from '../replay/replay-record.ts';
import { parseReplayWish, type ReplayWish } from '../replay/replay-request.ts';
import type { ReplayRuns } from '../replay/replay-runs.ts';
import { unknownProjection } from '../replay/wanted-projections.ts';
import { optionalBody } from './optional-body.ts';
import { replayJson } from './replay-json.ts';

export interface ReplayRoutesOptions extends CountedHistory {
  readonly replays: ReplayRuns;
  readonly own: OwnProjections;
  /** Replays of own projections. */
  readonly ownReplays: OwnReplays;
  readonly clock: Clock;
  /** Counts are of everything that was acknowledged before the request. */
  readonly gate: ReadGate;
}

type Handle = (call: Call, options: ReplayRoutesOptions) => Promise<void> | void;

/** A route, and how it answers below either base. */
interface ReplayRoute extends Omit<Route, 'handle'> {
  readonly versioned: Handle;
  readonly unversioned: Handle;
}

const ONE = '/replay/:replayId';

const ROUTES: readonly ReplayRoute[] = [
  {
    method: 'POST',
    path: '/replay/preview',
    needs: 'read',
    summary: 'What a replay of a projection would read.',
    versioned: preview,
    unversioned: preview,
  },
  {
    method: 'POST',
    path: '/replay',
    needs: 'write',
    summary: 'Starts a replay of one projection or all, perhaps with filters.',
    versioned: async (call, options) => call.json(200, replayJson(await begin(call, options))),
    unversioned: async (call, options) => {
      const wish = parseReplayWish(await optionalBody(call.request));
      if (wish.projection !== null && !isOwn(call, options, wish.projection))
        requiredProjection(wish.projection);
      call.json(202, { data: replayJson(await beginWish(call, options, wish)) });
    },
  },
  {
    method: 'GET',
    path: '/replay',
    needs: 'read',
    summary: 'The replays of the tenant, the newest first.',
    versioned: (call, options) => {
      const rows = listed(call, options);
      call.json(200, { replays: rows, total: rows.length });
    },
    unversioned: (call, options) => {
      const rows = listed(call, options);
      call.json(200, { data: rows, count: rows.length, total: rows.length });
    },
  },
  {
    method: 'POST',
    path: `${ONE}/cancel`,
    needs: 'write',
    summary: 'Cancels a replay that has not ended.',
    versioned: async (call, options) => {
      const { id, status } = await cancel(call, options, 'invalid_parameter');
      call.json(200, { replay_id: id, status });
    },
    unversioned: async (call, options) =>
      call.json(200, { data: replayJson(await cancel(call, options, 'operation_ended')) }),
  },
  {
    method: 'GET',
    path: ONE,
    needs: 'read',
    summary: 'How far a replay is.',
    versioned: (call, options) => call.json(200, replayJson(known(call, options))),
    unversioned: (call, options) => call.json(200, { data: replayJson(known(call, options)) }),
  },
  {
    method: 'DELETE',
    path: ONE,
    needs: 'write',
    summary: 'Deletes the record of a replay that has ended.',
    versioned: (call, options) => remove(call, options, 'invalid_parameter'),
    unversioned: (call, options) => remove(call, options, 'operation_running'),
  },
];

/** The routes of replays, below both bases. */
export function replayRoutes(options: ReplayRoutesOptions): Route[] {
  const at = (base: string, form: 'versioned' | 'unversioned') =>
    ROUTES.map(({ method, path, needs, summary, [form]: handle }): Route => {
      return { method, path: base + path, needs, summary, handle: (call) => handle(call, options) };
    });
  return [...at('/api/v1', 'versioned'), ...at('/api', 'unversioned')];
}

async function begin(call: Call, options: ReplayRoutesOptions): Promise<ReplayRecord> {
  return await beginWish(call, options, parseReplayWish(await optionalBody(call.request)));
}

async function beginWish(
  call: Call,
  options: ReplayRoutesOptions,
  wish: ReplayWish,
): Promise<ReplayRecord> {
  const tenant = call.tenant();
  await options.gate.admit(call);
  const { projection: name } = wish;
  if (name !== null && isOwn(call, options, name))
    return await options.ownReplays.begin({ tenant, name }, wish, call.principal.id);
  const totalEvents = await countMatching(options, tenant, wish.filter);
  const request = { ...wish, tenant, initiatedBy: call.principal.id };
  return options.replays.begin(request, totalEvents);
}

/** Begins to fold a projection of the store again for a tenant, by the replay that the body describes. */
export async function replayBuiltIn(call: Call, name: string, options: ReplayRoutesOptions) {
  const wish = parseReplayWish({ ...(await optionalBody(call.request)), projection_name: name });
  return replayJson(await beginWish(call, options, wish));
}

async function preview(call: Call, options: ReplayRoutesOptions): Promise<void> {
  const body = await optionalBody(call.request);
  const { projection: name } = parseReplayWish({ projection_name: body['projection_name'] });
  if (name === null) {
    throw problem('invalid_body', "'projection_name' is missing: a preview is of one projection.", {
      pointer: '/projection_name',
    });
  }
  const tenant = call.tenant();
  const { history, catalog, clock, replays, gate, ownReplays } = options;
  const own = isOwn(call, options, name) ? options.own.known(tenant, name) : null;
  const projection = own === null ? requiredProjection(name) : analysedProjection(own);
  await gate.admit(call);
  const underWay = replays.underWay(tenant, name) ?? ownReplays.underWay({ tenant, name });
  const analysis = { history, catalog, clock, tenant, projection, underWay };
  call.json(200, { data: await analyseReplay(analysis) });
}

function requiredProjection(name: string): Projection {
  const projection = builtInProjection(name);
  if (projection !== null) return projection;
  throw problem('invalid_body', unknownProjection(name), { pointer: '/projection_name' });
}

/** True for the name of a projection of the tenant's own. */
function isOwn(call: Call, { own }: ReplayRoutesOptions, name: string): boolean {
  return builtInProjection(name) === null && own.find(call.tenant(), name) !== null;
}

/** The newest first. */
function listed(call: Call, { replays, ownReplays }: ReplayRoutesOptions) {
  const tenant = call.tenant();
  const records = [...replays.ofTenant(tenant), ...ownReplays.ofTenant(tenant)];
  return records.toSorted((a, b) => b.createdAt - a.createdAt).map(replayJson);
}

function known(call: Call, { replays, ownReplays }: ReplayRoutesOptions): ReplayRecord {
  const id = call.pathParameter('replayId');
  const record = replays.one(call.tenant(), id) ?? ownReplays.one(call.tenant(), id);
  if (record !== null) return record;
  throw problem('not_found', `There is no replay ${JSON.stringify(id.slice(0, 100))}.`);
}

async function cancel(
  call: Call,
  options: ReplayRoutesOptions,
  refusal: 'invalid_parameter' | 'operation_ended',
): Promise<ReplayRecord> {
  const { replays, ownReplays } = options;
  const { id, status } = known(call, options);
  const tenant = call.tenant();
  const from = replays.one(tenant, id) === null ? ownReplays : replays;
  const cancelled = isEnded(status) ? null : await from.cancel(tenant, id);
  if (cancelled?.status === 'cancelled') return cancelled;
  const ended = cancelled?.status ?? status;
  throw problem(refusal, `The replay ${id} has ended: it is ${ended}.`, {
    parameter: 'replayId',
    replay_status: ended,
  });
}

function remove(
  call: Call,
  options: ReplayRoutesOptions,
  refusal: 'invalid_parameter' | 'operation_running',
): void {
  const { id, status } = known(call, options);
  if (!isEnded(status)) {
    throw problem(refusal, `The replay ${id} has not ended: it is ${status}. Cancel it first.`, {
      parameter: 'replayId',
      replay_status: status,
    });
  }
  options.replays.delete(call.tenant(), id);
  options.ownReplays.delete(call.tenant(), id);
  call.json(200, { replay_id: id, deleted: true });
}
