import { setImmediate as nextTurn } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { type Call, readJsonObject, type Route } from '@allsource/service-kit/http';
import { API_BASES } from '../gateway/api-path.ts';
import { BUILT_IN_PROJECTIONS, builtInProjection } from '../projections/built-in.ts';
import type { OwnProjections } from '../own-projections/own-projections.ts';
import type { OwnReads } from '../own-projections/own-reads.ts';
import type { Projection } from '../projections/projection.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import type { StoredState } from '../projections/projection-store.ts';
import { requireStatesLength } from '../projections/states-length.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import { type BuiltInProgress, builtInRow } from './built-in-projection-json.ts';
import { projectionDetails, projectionRow } from './own-projection-json.ts';
import { answerOwnPage, answerOwnState, answerOwnStates } from './own-state-answers.ts';

export interface ProjectionRoutesOptions {
  readonly projections: ProjectionFolds;
  readonly gate: ReadGate;
  readonly builtInProgress: () => BuiltInProgress;
  readonly own: OwnProjections;
  readonly ownReads: OwnReads;
  /** Hands a call on to core, which keeps the states that clients save. */
  readonly toCore: (call: Call) => Promise<void>;
}

const BULK_BODY_BYTES_MAX = 4 * 1024 * 1024;

interface ProjectionRoute extends Omit<Route, 'handle'> {
  readonly handle: (call: Call, options: ProjectionRoutesOptions) => Promise<void> | void;
}

const ONE = '/:name/:entityId/state';
const SAVES = 'Saves the state of an entity.';
/** Below /projections. */
const TABLE: readonly ProjectionRoute[] = [
  {
    method: 'GET',
    path: '',
    needs: 'read',
    summary: 'The projections of the tenant, and those of the store.',
    handle: list,
  },
  { method: 'GET', path: '/:name', needs: 'read', summary: 'One projection.', handle: describe },
  {
    method: 'GET',
    path: '/:name/state',
    needs: 'read',
    summary: 'The states of a projection by key.',
    handle: listStates,
  },
  {
    method: 'POST',
    path: '/:name/bulk',
    needs: 'read',
    summary: 'The states of some keys.',
    handle: readSome,
  },
  {
    method: 'POST',
    path: '/:name/bulk/save',
    needs: 'write',
    summary: 'Saves states of several entities.',
    handle: save,
  },
  { method: 'GET', path: ONE, needs: 'read', summary: 'The state of one entity.', handle: readOne },
  { method: 'PUT', path: ONE, needs: 'write', summary: SAVES, handle: save },
  { method: 'POST', path: ONE, needs: 'write', summary: SAVES, handle: save },
];

/**
 * The states of projections: those of the store itself and those of the tenant's own are answered here, and what clients save under other names is core's. A name of a
 * projection cannot be written to.
 */
export function projectionRoutes(options: ProjectionRoutesOptions): Route[] {
  return API_BASES.map((base) => `${base}/projections`).flatMap((base) =>
    TABLE.map(({ method, path, needs, summary, handle }) => ({
      method,
      path: base + path,
      needs,
      summary,
      handle: (call: Call) => handle(call, options),
    })),
  );
}

function list(call: Call, options: ProjectionRoutesOptions): void {
  const own = options.own.ofTenant(call.tenant());
  const progress = options.builtInProgress();
  const rows = [
    ...BUILT_IN_PROJECTIONS.map((projection) => builtInRow(projection, progress)),
    ...own.map(projectionRow),
  ];
  call.json(200, { projections: rows, total: rows.length, data: rows, count: rows.length });
}

function describe(call: Call, options: ProjectionRoutesOptions): void {
  const tenant = call.tenant();
  const name = call.pathParameter('name');
  const projection = builtInProjection(name);
  const described =
    projection === null
      ? projectionDetails(options.own.known(tenant, name))
      : builtInRow(projection, options.builtInProgress());
  call.json(200, { ...described, found: true, data: described });
}

async function readOne(call: Call, options: ProjectionRoutesOptions): Promise<void> {
  const name = call.pathParameter('name');
  const key = call.pathParameter('entityId');
  const projection = builtInProjection(name);
  if (projection !== null) return await answerOne(call, projection, { ...options, key });
  const own = options.own.find(call.tenant(), name);
  if (own === null) return await options.toCore(call);
  await answerOwnState(call, { reads: options.ownReads, own, key });
}

async function answerOne(
  call: Call,
  projection: Projection,
  { projections, gate, key }: ProjectionRoutesOptions & { readonly key: string },
): Promise<void> {
  const tenant = call.tenant();
  await gate.admit(call);
  const stored = await projections.whole(() => {
    stampPosition(call, projections.appliedPosition);
    return projections.state(projection, tenant, key);
  });
  const { name, kind } = projection;
  call.json(
    200,
    `{"projection":"${name}","entity_id":${JSON.stringify(key)},"kind":"${kind}","status":"running",` +
      `"state":${stored === null ? 'null' : keptState(stored)},"found":${stored !== null}}`,
  );
}

/** The text of a state; throws for one that has passed its limit. */
export function keptState(stored: StoredState): string {
  if (stored.state !== null) return stored.state;
  const limit = LIMITS.entitySnapshotBytesMax;
  throw problem(
    'payload_too_large',
    `The state of '${stored.key}' has passed ${limit} bytes and is not kept. Fold its events instead.`,
    { entity_id: stored.key, limit_bytes: limit },
  );
}

async function listStates(call: Call, options: ProjectionRoutesOptions): Promise<void> {
  const name = call.pathParameter('name');
  const projection = builtInProjection(name);
  if (projection === null) {
    const own = options.own.find(call.tenant(), name);
    if (own === null) return await options.toCore(call);
    return await answerOwnPage(call, { reads: options.ownReads, own });
  }
  const key = call.query.text('entity_id');
  if (key !== null) return await answerOne(call, projection, { ...options, key });
  const tenant = call.tenant();
  const limit =
    call.query.integer('limit', { min: 0, max: LIMITS.bulkStatesMax }) ?? LIMITS.pageEventsDefault;
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const keyPrefix = call.query.text('entity_id_prefix') ?? '';
  await options.gate.admit(call);
  const page = { projection, tenant, keyPrefix, limit, offset };
  const { rows, count, total, position } = await options.projections.list(page);
  stampPosition(call, position);
  call.jsonParts(200, [
    `{"projection":"${projection.name}","states":[`,
    rows,
    `],"count":${count},"total":${total},"has_more":${offset + count < total}}`,
  ]);
}

async function readSome(call: Call, options: ProjectionRoutesOptions): Promise<void> {
  const name = call.pathParameter('name');
  const projection = builtInProjection(name);
  if (projection === null) {
    const own = options.own.find(call.tenant(), name);
    if (own === null) return await options.toCore(call);
    const keys = parseKeys((await readJsonObject(call.request, BULK_BODY_BYTES_MAX))['entity_ids']);
    return await answerOwnStates(call, { reads: options.ownReads, own, keys });
  }
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, BULK_BODY_BYTES_MAX);
  const keys = parseKeys(body['entity_ids']);
  const { gate, projections } = options;
  await gate.admit(call);
  const rows: string[] = [];
  let characters = 0;
  const readTurn = (turnKeys: readonly string[]) => {
    if (rows.length === 0) stampPosition(call, projections.appliedPosition);
    for (const key of turnKeys) {
      const stored = projections.state(projection, tenant, key);
      const { state } = stored ?? { state: null };
      characters += key.length + (state?.length ?? 0);
      requireStatesLength(characters);
      rows.push(
        `{"entity_id":${JSON.stringify(key)},"state":${state ?? 'null'},"found":${stored !== null}}`,
      );
    }
  };
  for (let from = 0; from === 0 || from < keys.length; from += LIMITS.statesAtOnce) {
    if (from > 0) await nextTurn();
    await projections.whole(() => readTurn(keys.slice(from, from + LIMITS.statesAtOnce)));
  }
  call.json(
    200,
    `{"projection":"${projection.name}","states":[${rows.join(',')}],"total":${rows.length}}`,
  );
}

function parseKeys(value: unknown): string[] {
  const limit = LIMITS.bulkStatesMax;
  if (Array.isArray(value) && value.length <= limit) {
    const keys = value.filter((key): key is string => typeof key === 'string');
    if (keys.length === value.length) return keys;
  }
  throw problem('invalid_body', `'entity_ids' must be a list of at most ${limit} texts.`, {
    pointer: '/entity_ids',
    limit,
  });
}

async function save(call: Call, options: ProjectionRoutesOptions): Promise<void> {
  const name = call.pathParameter('name');
  const isOfStore = builtInProjection(name) !== null;
  if (!isOfStore && options.own.find(call.tenant(), name) === null)
    return await options.toCore(call);
  const which = isOfStore ? 'is a projection of the store itself' : 'is computed from events';
  throw problem(
    'invalid_parameter',
    `${quoted(name)} ${which} and cannot be written to. Choose another name.`,
    { parameter: 'name' },
  );
}
