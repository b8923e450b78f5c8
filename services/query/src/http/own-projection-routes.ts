/**
 * What is done with projections: create, change, command, delete, and what they could not fold. The projections of the store itself run always; of these routes they know
 * the reset and the rebuild, which fold them again.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { type Call, readJsonObject, type Route } from '@allsource/service-kit/http';
import { API_BASES } from '../gateway/api-path.ts';
import { builtInProjection } from '../projections/built-in.ts';
import {
  type Command,
  pause,
  rebuild,
  rollback,
  start,
  stop,
} from '../own-projections/lifecycle.ts';
import type { OwnProjection, OwnProjections } from '../own-projections/own-projections.ts';
import { whole } from '../own-projections/body-members.ts';
import { parseProjection, parseProjectionUpdate } from '../own-projections/parse-projection.ts';
import { PROJECTION_TEMPLATES } from '../own-projections/projection-templates.ts';
import { projectionDetails } from './own-projection-json.ts';
import { optionalBody } from './optional-body.ts';

export interface OwnProjectionRoutesOptions {
  readonly own: OwnProjections;
  /** Folds a projection of the store again for a tenant. Resolves with the events that will be folded and the id of the replay. */
  readonly replayBuiltIn: (
    call: Call,
    name: string,
  ) => Promise<{ readonly total_events: number; readonly replay_id: string }>;
  /** Events of a tenant, or of some of its types, that a build reads. */
  readonly eventsToFold: (tenant: string, eventTypes: readonly string[]) => number;
}

type Handler = (call: Call, options: OwnProjectionRoutesOptions) => Promise<void> | void;

interface OwnRoute extends Omit<Route, 'handle'> {
  readonly handle: Handler;
}

const BODY_BYTES_MAX = LIMITS.definitionBytesMax + 64 * 1024;
const POSITION = { min: 1, max: Number.MAX_SAFE_INTEGER };

const MANAGE = 'manage_pipelines';
const ONE = '/projections/:name';

const TABLE: readonly OwnRoute[] = [
  {
    method: 'GET',
    path: '/projection-templates',
    needs: 'read',
    summary: 'Projections that can be created by their name alone.',
    handle: listTemplates,
  },
  {
    method: 'POST',
    path: '/projections',
    needs: MANAGE,
    summary: 'Creates a projection.',
    handle: create,
  },
  {
    method: 'PATCH',
    path: ONE,
    needs: MANAGE,
    summary: 'Changes a projection; what is left out stays.',
    handle: update,
  },
  {
    method: 'PUT',
    path: ONE,
    needs: MANAGE,
    summary: 'The same as PATCH.',
    handle: update,
  },
  {
    method: 'DELETE',
    path: ONE,
    needs: MANAGE,
    summary: 'Deletes a projection with its states.',
    handle: remove,
  },
  commandRoute('start', start, 'Starts a projection, or lets it try again.'),
  commandRoute('pause', pause, 'Pauses a projection where it stands.'),
  commandRoute('stop', stop, 'Stops a projection where it stands.'),
  {
    method: 'POST',
    path: `${ONE}/reset`,
    needs: 'write',
    summary: 'Folds all events of a projection again.',
    handle: reset,
  },
  {
    method: 'POST',
    path: `${ONE}/rebuild`,
    needs: 'write',
    summary: 'Rebuilds a projection beside the one that is read, and puts it in place.',
    handle: rebuildOne,
  },
  {
    method: 'POST',
    path: `${ONE}/rollback`,
    needs: MANAGE,
    summary: 'Reads an earlier build of a projection again, at once.',
    handle: rollBack,
  },
  {
    method: 'GET',
    path: `${ONE}/parked`,
    needs: 'read',
    summary: 'Entities whose events wait because one of them cannot be folded.',
    handle: listParked,
  },
  {
    method: 'POST',
    path: `${ONE}/parked/retry`,
    needs: 'write',
    summary: 'Folds the waiting events of one entity, or of all, again.',
    handle: retryParked,
  },
  {
    method: 'GET',
    path: `${ONE}/skipped`,
    needs: 'read',
    summary: 'Events that a projection has passed over because they cannot be folded.',
    handle: listSkipped,
  },
];

/** The routes by which projections are managed, below both bases. */
export function ownProjectionRoutes(options: OwnProjectionRoutesOptions): Route[] {
  return API_BASES.flatMap((base) =>
    TABLE.map(({ handle, path, ...route }): Route => {
      return { ...route, path: base + path, handle: (call) => handle(call, options) };
    }),
  );
}

function listTemplates(call: Call): void {
  const templates = PROJECTION_TEMPLATES.map(({ name, title, description, kind, body }) => {
    return { name, title, description, kind, ...body };
  });
  call.json(200, { templates, total: templates.length });
}

async function create(call: Call, { own }: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, BODY_BYTES_MAX);
  const details = projectionDetails(await own.create(tenant, parseProjection(body)));
  // Clients that create by template know this word for a projection that has not caught up.
  const isBuilding = typeof body['template'] === 'string' && details.wanted_status === 'running';
  const projection = isBuilding ? { ...details, status: 'building' } : details;
  call.json(201, { projection, data: projection });
}

async function update(call: Call, { own }: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const name = ownName(call);
  const body = await readJsonObject(call.request, BODY_BYTES_MAX);
  const expectedPosition = whole(body, 'expected_position', POSITION);
  const change = parseProjectionUpdate.bind(null, body);
  const changed = await own.change({ tenant, name, expectedPosition }, change);
  answer(call, changed);
}

async function remove(call: Call, { own }: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const name = ownName(call);
  await own.remove(tenant, name);
  // The two families of clients read this member differently.
  const isVersioned = call.request.originalUrl.startsWith('/api/v1/');
  call.json(200, { projection: name, deleted: isVersioned ? true : name });
}

function commandRoute(word: string, command: Command, summary: string): OwnRoute {
  return {
    method: 'POST',
    path: `${ONE}/${word}`,
    needs: MANAGE,
    summary,
    handle: async (call, { own }) => {
      const tenant = call.tenant();
      const name = call.pathParameter('name');
      if (word === 'start' && builtInProjection(name) !== null) {
        call.json(200, { projection: name, status: 'running' });
        return;
      }
      const commanded = await own.command({ tenant, name: ownName(call) }, command);
      answer(call, commanded, commanded.definition.wanted);
    },
  };
}

async function reset(call: Call, options: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const name = call.pathParameter('name');
  if (builtInProjection(name) !== null) {
    const { total_events: events_reprocessed, replay_id } = await options.replayBuiltIn(call, name);
    call.json(200, { projection: name, reset: true, events_reprocessed, replay_id });
    return;
  }
  const projection = await options.own.command({ tenant, name }, rebuild);
  const { event_types } = projection.definition;
  const events_reprocessed = options.eventsToFold(tenant, event_types);
  const data = projectionDetails(projection);
  call.json(200, { projection: name, reset: true, events_reprocessed, data });
}

async function rebuildOne(call: Call, options: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const name = call.pathParameter('name');
  if (builtInProjection(name) !== null) {
    const data = await options.replayBuiltIn(call, name);
    const { replay_id } = data;
    call.json(202, { projection: name, status: 'rebuilding', replay_id, data });
    return;
  }
  const projection = await options.own.command({ tenant, name }, rebuild);
  const data = projectionDetails(projection);
  call.json(202, { projection: name, status: 'rebuilding', build: data.version, data });
}

async function rollBack(call: Call, { own }: OwnProjectionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const name = ownName(call);
  const build = whole(await optionalBody(call.request), 'build', POSITION);
  answer(call, await own.command({ tenant, name }, rollback(build)));
}

function listParked(call: Call, { own }: OwnProjectionRoutesOptions): void {
  const name = call.pathParameter('name');
  const page = window(call);
  const { offset } = page;
  const { parked, total } = isOfStore(name)
    ? { parked: [], total: 0 }
    : own.runtime.parked(own.known(call.tenant(), name).definition.tenant, name, page);
  const hasMore = offset + parked.length < total;
  call.json(200, { projection: name, parked, count: parked.length, total, has_more: hasMore });
}

async function retryParked(call: Call, { own }: OwnProjectionRoutesOptions): Promise<void> {
  const { tenant, name } = own.known(call.tenant(), ownName(call)).definition;
  const entity = (await optionalBody(call.request))['entity_id'] ?? null;
  if (entity !== null && typeof entity !== 'string')
    throw problem('invalid_body', "'entity_id' must be a text; leave it out to retry all.", {
      pointer: '/entity_id',
    });
  const retried = await own.runtime.retryParked(tenant, name, entity);
  call.json(200, { projection: name, ...retried });
}

function listSkipped(call: Call, { own }: OwnProjectionRoutesOptions): void {
  const name = call.pathParameter('name');
  const { limit } = window(call);
  const skipped = isOfStore(name)
    ? []
    : own.runtime.skipped(own.known(call.tenant(), name).definition.tenant, name, limit);
  call.json(200, { projection: name, skipped, count: skipped.length });
}

function window({ query }: Call): { readonly limit: number; readonly offset: number } {
  return {
    limit: query.integer('limit', { min: 1, max: LIMITS.parkedPageMax }) ?? 100,
    offset: query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
  };
}

function answer(call: Call, projection: OwnProjection, status?: string): void {
  const data = projectionDetails(projection);
  call.json(200, { projection: data.name, status: status ?? data.status, data });
}

/** Projections of the store fold whatever comes: nothing is ever parked or skipped. */
function isOfStore(name: string): boolean {
  return builtInProjection(name) !== null;
}

/** The name in the path, of a projection that is not the store's own. */
function ownName(call: Call): string {
  const name = call.pathParameter('name');
  if (builtInProjection(name) === null) return name;
  throw problem(
    'not_available',
    `${quoted(name)} is a projection of the store itself: it always runs and cannot be changed or deleted. It can be reset and rebuilt.`,
    { feature: 'Changing projections of the store' },
  );
}
