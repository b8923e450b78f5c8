/** Snapshots of entities: taking them, of one entity or of all, and reading them. */
import { type Call, readJsonObject, type Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, micros, quoted } from '@allsource/shared/model';
import { Turns } from '@allsource/service-kit/turns';
import { API_BASES } from '../gateway/api-path.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import type { SnapshotDraft, SnapshotEntry } from '../snapshots/snapshot.ts';
import { readSnapshotCursor, snapshotCursor } from '../snapshots/snapshot-cursor.ts';
import type { SnapshotRun, SnapshotRuns } from '../snapshots/snapshot-runs.ts';
import type { SnapshotHistory, Snapshots } from '../snapshots/snapshots.ts';
import { checkedEntityId, entityParameter } from './entity-parameter.ts';
import { writeMembers } from './raw-state.ts';

export interface SnapshotRoutesOptions {
  readonly history: Pick<SnapshotHistory, 'appliedPosition'>;
  readonly gate: ReadGate;
  readonly snapshots: Snapshots;
  readonly runs: SnapshotRuns;
}

const BODY_BYTES_MAX = 64 * 1024;
const PAGE_DEFAULT = 100;

/** A snapshot is taken from what was recorded, so it is a read of the events; that it is kept needs the right to write. */
export function snapshotRoutes(options: SnapshotRoutesOptions): Route[] {
  return API_BASES.map((base) => `${base}/snapshots`).flatMap((base): Route[] => [
    {
      method: 'POST',
      path: base,
      needs: 'write',
      summary: 'Takes a snapshot of one entity, or begins to take one of each.',
      handle: (call) => take(call, options),
    },
    {
      method: 'GET',
      path: base,
      needs: 'read',
      summary: 'Snapshots, the newest first.',
      handle: (call) => list(call, options),
    },
    {
      method: 'GET',
      path: `${base}/:entityId/latest`,
      needs: 'read',
      summary: 'The newest snapshot of an entity, with its state.',
      handle: (call) => answerLatest(call, options),
    },
    {
      method: 'GET',
      path: `${base}/runs/:runId`,
      needs: 'read',
      summary: 'How far the snapshots of all entities have come.',
      handle: (call) => answerRun(call, options),
    },
  ]);
}

async function take(call: Call, options: SnapshotRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const entity = entityOfBody(await bodyOf(call));
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  if (entity === null) return call.json(202, runJson(options.runs.start(tenant)));
  const wanted = { tenant, entity, kind: 'manual', untilPosition } as const;
  const draft = await options.snapshots.take(wanted, new Turns());
  if (draft === null) throw noEvents(entity);
  const { id, entity_id, ...facts } = shown({ ...draft, storedBytes: draft.stored.length });
  call.json(200, { snapshot_id: id, entity_id, ...facts });
}

/** The body; none at all means all entities. */
async function bodyOf(call: Call): Promise<Record<string, unknown>> {
  const { headers } = call.request;
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? await readJsonObject(call.request, BODY_BYTES_MAX) : {};
}

function entityOfBody({ entity_id: entity = null }: Record<string, unknown>): string | null {
  if (entity === null) return null;
  if (typeof entity === 'string') return checkedEntityId(entity);
  throw problem(
    'invalid_body',
    "'entity_id' must be a string; leave it out for snapshots of all entities.",
    { pointer: '/entity_id' },
  );
}

function noEvents(entity: string): Error {
  return problem('entity_not_found', `The entity ${quoted(entity)} has no events.`);
}

async function list(call: Call, options: SnapshotRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const entityText = call.query.name('entity_id');
  const entity = entityText === null ? null : checkedEntityId(entityText);
  const limits = { min: 0, max: LIMITS.snapshotPageMax };
  const limit = call.query.integer('limit', limits) ?? PAGE_DEFAULT;
  const scope = { tenant, entity };
  const cursor = call.query.name('cursor');
  const before = cursor === null ? Number.MAX_SAFE_INTEGER : readSnapshotCursor(cursor, scope);
  await options.gate.admit(call);
  const page = options.snapshots.list({ tenant, entity, limit: limit + 1, before });
  const entries = page.entries.slice(0, limit);
  const last = page.entries.length > limit ? entries.at(-1) : undefined;
  call.json(200, {
    snapshots: entries.map(shown),
    total: page.total,
    count: entries.length,
    has_more: page.entries.length > limit,
    // The list goes on behind this one: the next page is asked for with cursor=<this>.
    next_cursor: last === undefined ? null : snapshotCursor(last.number, scope),
  });
}

/** The newest snapshot kept; one that is taken now where none is. */
async function answerLatest(call: Call, options: SnapshotRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const entity = entityParameter(call);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const { snapshots } = options;
  const turns = new Turns();
  const wanted = { tenant, entity, kind: 'ondemand', untilPosition } as const;
  const snapshot = snapshots.latest(tenant, entity) ?? (await snapshots.take(wanted, turns));
  if (snapshot === null) throw noEvents(entity);
  const members = await snapshots.membersOf(snapshot, turns);
  const { id, ...facts } = shown({ ...snapshot, storedBytes: snapshot.stored.length });
  const writer = new JsonWriter(call.response);
  writer.text(`${JSON.stringify({ snapshot_id: id, ...facts }).slice(0, -1)},"state":`);
  if (!(await writeMembers(writer, members))) return;
  writer.text('}');
  writer.end();
}

function answerRun(call: Call, options: SnapshotRoutesOptions): void {
  const tenant = call.tenant();
  const id = call.pathParameter('runId');
  const run = options.runs.find(tenant, id);
  if (run !== null) return call.json(200, runJson(run));
  throw problem(
    'not_found',
    `There is no run of snapshots ${quoted(id)}. Runs are forgotten when the service starts again; the snapshots stay.`,
  );
}

type Shown = Omit<SnapshotEntry, 'number'> | (SnapshotDraft & { readonly storedBytes: number });

function shown(snapshot: Shown) {
  return {
    id: snapshot.id,
    entity_id: snapshot.entity,
    created_at: instant(snapshot.createdMs),
    as_of: formatTimestamp(snapshot.timestampMax),
    event_count: snapshot.last.version,
    size_bytes: snapshot.stateBytes,
    snapshot_type: snapshot.kind,
    stored_bytes: snapshot.storedBytes,
    version: snapshot.last.version,
    position: snapshot.last.position,
  };
}

function runJson(run: SnapshotRun) {
  return {
    run_id: run.id,
    status: run.status,
    entities_total: run.entityCount,
    entities_done: run.entitiesDone,
    snapshots_taken: run.taken,
    entities_unchanged: run.unchanged,
    entities_too_large: run.tooLarge,
    created_at: instant(run.createdMs),
    completed_at: run.completedMs === null ? null : instant(run.completedMs),
    error: run.error,
    follow: `/api/v1/snapshots/runs/${run.id}`,
  };
}

function instant(ms: number): string {
  return formatTimestamp(micros(Math.floor(ms * 1000)));
}
