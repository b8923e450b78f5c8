import {
  type Call,
  type Route,
  readBody,
  requireJson,
  requireWellFormedJson,
} from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { parseEntityIds, parseState, parseStates } from '../projection-state/parse-states.ts';
import type {
  EntityState,
  ProjectionName,
  ProjectionStateService,
  StatesPage,
} from '../projection-state/projection-state-service.ts';
import { isStoreProjection } from '@allsource/shared/protocol';
import { answerJsonParts, jsonElements } from './answer-json-parts.ts';
import type { QueryForward } from './forwarded-routes.ts';

export interface ProjectionStateRoutesOptions {
  readonly states: ProjectionStateService;
  readonly bodyBytesMax: number;
  /** True for the name of a projection of the tenant's own: the query service computes its states. */
  readonly isComputed: (name: ProjectionName) => boolean;
  /** Takes what is asked of the projections that the query service keeps. */
  readonly forward: QueryForward;
}

const STATE_PATH = '/api/v1/projections/:projection/:entityId/state';

/** The routes of the states that clients keep for their own projections. */
export function projectionStateRoutes(options: ProjectionStateRoutesOptions): Route[] {
  const saveRoute = (method: 'PUT' | 'POST'): Route => ({
    method,
    path: STATE_PATH,
    needs: 'write',
    summary: 'Saves the state of an entity.',
    handle: (call) => save(call, options),
  });
  return [
    {
      method: 'GET',
      path: STATE_PATH,
      needs: 'read',
      summary: 'The saved state of an entity.',
      handle: (call) => get(call, options),
    },
    saveRoute('PUT'),
    saveRoute('POST'),
    {
      method: 'POST',
      path: '/api/v1/projections/:projection/bulk/save',
      needs: 'write',
      summary: 'Saves the states of many entities, all or none.',
      handle: (call) => saveMany(call, options),
    },
    {
      method: 'POST',
      path: '/api/v1/projections/:projection/bulk',
      needs: 'read',
      summary: 'The saved states of the named entities.',
      handle: (call) => getMany(call, options),
    },
    {
      method: 'GET',
      path: '/api/v1/projections/:projection/state',
      needs: 'read',
      summary: 'The saved states of a projection in the order of entity ids.',
      handle: (call) => list(call, options),
    },
  ];
}

function nameOf(call: Call): ProjectionName {
  return { tenant: call.tenant(), projection: call.pathParameter('projection') };
}

/** True for a projection of the tenant's own, and for one of the store itself under whose name no client has saved a state here. */
function isKeptByQuery(
  name: ProjectionName,
  { states, isComputed }: ProjectionStateRoutesOptions,
): boolean {
  if (isComputed(name)) return true;
  return isStoreProjection(name.projection) && states.count(name) === 0;
}

async function readJson(call: Call, bytesMax: number): Promise<Buffer> {
  requireJson(call.request);
  const body = await readBody(call.request, bytesMax);
  requireWellFormedJson(body);
  return body;
}

async function get(call: Call, options: ProjectionStateRoutesOptions): Promise<void> {
  const { states, forward, isComputed } = options;
  const name = nameOf(call);
  if (isComputed(name)) return await forward(call);
  const entity = call.pathParameter('entityId');
  const row = { entity, state: await states.get(name, entity) };
  if (row.state === null && isStoreProjection(name.projection)) return await forward(call);
  const { projection } = name;
  call.json(200, `{"projection":${JSON.stringify(projection)},${foundMembers(row)}}`);
}

function foundMembers({ entity, state }: EntityState): string {
  return `"entity_id":${JSON.stringify(entity)},"state":${state ?? 'null'},"found":${state !== null}`;
}

async function save(call: Call, options: ProjectionStateRoutesOptions): Promise<void> {
  const { states, bodyBytesMax } = options;
  const name = nameOf(call);
  if (options.isComputed(name)) throw computed(name);
  const entity = call.pathParameter('entityId');
  const state = parseState(await readJson(call, bodyBytesMax));
  await states.save(name, [{ entity, state }]);
  call.json(200, { projection: name.projection, entity_id: entity, saved: true });
}

function computed({ projection }: ProjectionName): Error {
  return problem(
    'invalid_parameter',
    `${quoted(projection)} is computed from events and cannot be written to. Choose another name.`,
    { parameter: 'projection' },
  );
}

async function saveMany(call: Call, options: ProjectionStateRoutesOptions): Promise<void> {
  const { states, bodyBytesMax } = options;
  const name = nameOf(call);
  if (options.isComputed(name)) throw computed(name);
  const saved = parseStates(await readJson(call, bodyBytesMax));
  await states.save(name, saved);
  call.json(200, { projection: name.projection, saved: saved.length, total: saved.length });
}

async function getMany(call: Call, options: ProjectionStateRoutesOptions): Promise<void> {
  const { states, bodyBytesMax, forward } = options;
  const name = nameOf(call);
  if (isKeptByQuery(name, options)) return await forward(call);
  const page = states.getMany(name, parseEntityIds(await readJson(call, bodyBytesMax)));
  await answerPage(call, {
    projection: name.projection,
    page,
    print: (row) => `{${foundMembers(row)}}`,
    rest: `"total":${page.total}`,
  });
}

async function list(call: Call, options: ProjectionStateRoutesOptions): Promise<void> {
  const { states, forward } = options;
  const name = nameOf(call);
  if (isKeptByQuery(name, options)) return await forward(call);
  const limit =
    call.query.integer('limit', { min: 0, max: LIMITS.bulkStatesMax }) ?? LIMITS.bulkStatesMax;
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const prefix = call.query.text('entity_id_prefix') ?? '';
  const page = await states.list(name, { prefix, offset, limit });
  const hasMore = offset + page.count < page.total;
  await answerPage(call, {
    projection: name.projection,
    page,
    print: ({ entity, state }) =>
      `{"entity_id":${JSON.stringify(entity)},"state":${state ?? 'null'}}`,
    rest: `"count":${page.count},"total":${page.total},"has_more":${hasMore}`,
  });
}

interface PageAnswer {
  readonly projection: string;
  readonly page: StatesPage;
  readonly print: (row: EntityState) => string;
  /** The members behind the states. */
  readonly rest: string;
}

async function answerPage(call: Call, answer: PageAnswer): Promise<void> {
  await answerJsonParts(call, pageParts(answer));
}

async function* pageParts({ projection, page, print, rest }: PageAnswer): AsyncGenerator<string> {
  yield `{"projection":${JSON.stringify(projection)},"states":[`;
  yield* jsonElements(page.states(), print);
  yield `],${rest}}`;
}
