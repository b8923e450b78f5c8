/** Entities of one tenant. `/entities/duplicates` stands before the paths with an entity id. */
import type { Call, Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { formatRawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, quoted } from '@allsource/shared/model';
import { orderFault, PayloadFilter } from '@allsource/shared/protocol';
import type { Catalog } from '../catalog/catalog.ts';
import type { EntityEntry } from '../catalog/entity-rows.ts';
import { API_BASES } from '../gateway/api-path.ts';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';
import { writeList } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { budgetOf, type QueryLimits } from '../reads/query-budget.ts';
import { type DuplicateGroup, readDuplicates } from '../reads/read-duplicates.ts';
import { readEntities } from '../reads/read-entities.ts';
import {
  type EntityState,
  type EntityStateWanted,
  readEntityState,
} from '../reads/read-entity-state.ts';
import { type ReadGate, readWish, stampPosition } from '../reads/read-gate.ts';
import { askedUpcast, beginUpcast, type Upcasting } from '../schemas/upcasting.ts';
import { hasMoreBehind, windowParameters } from '../reads/window-parameters.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { entityParameter } from './entity-parameter.ts';
import { writeMembers } from './raw-state.ts';

export interface EntityRoutesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
  /** What one query may cost; the defaults when left out. */
  readonly limits?: QueryLimits;
  /** Shorten the fold of a state; without them each is folded from the first event. */
  readonly snapshots?: Snapshots;
  /** Brings payloads into the form of newer schemas; not available when left out. */
  readonly upcasting?: Upcasting;
}

/** Lists of entities, and the state of one. */
export function entityRoutes(options: EntityRoutesOptions): Route[] {
  return API_BASES.flatMap((base): Route[] => [
    {
      method: 'GET',
      path: `${base}/entities`,
      needs: 'read',
      summary: 'Entities by the time of their last event.',
      handle: (call) => answerEntities(call, options),
    },
    {
      method: 'GET',
      path: `${base}/entities/duplicates`,
      needs: 'read',
      summary: 'Entities whose latest events agree in some payload fields.',
      handle: (call) => answerDuplicates(call, options),
    },
    {
      method: 'GET',
      path: `${base}/entities/:entityId/state`,
      needs: 'read',
      summary: 'The state of an entity, now or as of an instant, with its history.',
      handle: (call) => answerState(call, options),
    },
  ]);
}

async function answerEntities(call: Call, options: EntityRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const order = call.query.choice('order', ['asc', 'desc'] as const, orderFault) ?? 'desc';
  const typePrefix = call.query.name('event_type_prefix');
  const filterText = call.query.name('payload_filter');
  const payloadFilter = filterText === null ? null : new PayloadFilter(filterText);
  const window = windowParameters(call);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const budget = budgetOf(call, options.limits);
  const wanted = { tenant, order, typePrefix, payloadFilter, window, untilPosition, budget };
  const page = await readEntities(options, wanted);
  const hasMore = hasMoreBehind(window, page.rows.length, page.total);
  const list = {
    head: '{"entities":[',
    elements: page.rows,
    tail: `],"total":${page.total},"has_more":${hasMore},"position":${untilPosition}}`,
  };
  await writeList(new JsonWriter(call.response), list, writeEntity);
}

function writeEntity(writer: JsonWriter, entry: EntityEntry): void {
  writer.text(
    JSON.stringify({
      entity_id: entry.entity,
      event_count: entry.eventCount,
      last_event_type: entry.lastType,
      last_event_at: formatTimestamp(entry.lastTimestamp),
    }),
  );
}

async function answerDuplicates(call: Call, options: EntityRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const typePrefix = call.query.requiredText('event_type_prefix');
  const groupBy = fieldNames(call.query.requiredText('group_by'));
  const window = windowParameters(call);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const budget = budgetOf(call, options.limits);
  const wanted = {
    tenant,
    typePrefix,
    payloadFilter: null,
    groupBy,
    window,
    untilPosition,
    budget,
  };
  const page = await readDuplicates(options.history, wanted);
  const hasMore = hasMoreBehind(window, page.rows.length, page.total);
  const writer = new JsonWriter(call.response);
  writer.text('{"duplicates":[');
  for (const [i, group] of page.rows.entries()) {
    if (i > 0) writer.text(',');
    if (!(await writeGroup(writer, group))) return;
  }
  writer.text(`],"total":${page.total},"has_more":${hasMore},"position":${untilPosition}}`);
  writer.end();
}

function fieldNames(text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length > 0 && names.length <= LIMITS.filtersMax) return [...new Set(names)];
  throw problem(
    'invalid_parameter',
    `'group_by' names ${names.length} fields; allowed are 1 to ${LIMITS.filtersMax} names of payload fields, joined by commas.`,
    { parameter: 'group_by' },
  );
}

/** A group may have all entities of the tenant. Returns false when there is no reader any more. */
async function writeGroup(writer: JsonWriter, { key, entities }: DuplicateGroup): Promise<boolean> {
  writer.text(`{"key":${formatRawMembers(key)},"entity_ids":[`);
  for (const [i, entity] of entities.entries()) {
    writer.text(`${i === 0 ? '' : ','}${JSON.stringify(entity)}`);
    if (writer.isFull && !(await writer.flush())) return false;
  }
  writer.text(`],"count":${entities.length}}`);
  return !writer.isFull || (await writer.flush());
}

async function answerState(call: Call, options: EntityRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const entity = entityParameter(call);
  const asOf = call.query.timestamp('as_of');
  const asOfRecorded = call.query.timestamp('as_of_recorded');
  const limits = { min: 0, max: LIMITS.pageEventsMax };
  const historyLimit = call.query.integer('history_limit', limits);
  const wish = readWish(call.query);
  const upcast = askedUpcast(call.query);
  await options.gate.pass(wish);
  const reading = await beginUpcast(options.upcasting, { upcast, wish });
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const wanted = { tenant, entity, asOf, asOfRecorded, untilPosition, historyLimit };
  const { history, snapshots = null } = options;
  const payloadOf = reading === null ? undefined : (event: StoredEvent) => reading.payload(event);
  const state = await readEntityState({ history, snapshots, payloadOf }, wanted);
  if (state === null) throw noEvents(wanted);
  const writer = new JsonWriter(call.response);
  writer.text(`${stateMembers(wanted, state)},"current_state":`);
  if (!(await writeMembers(writer, state.members))) return;
  const list = {
    head: ',"history":[',
    elements: state.history,
    tail: `],"position":${untilPosition}}`,
  };
  if (payloadOf === undefined) {
    await writeList(writer, list, (to, event) => writeHistoryEntry(to, event, event.payload()));
    return;
  }
  writer.text(list.head);
  let separator = '';
  for (const event of state.history) {
    writer.text(separator);
    separator = ',';
    writeHistoryEntry(writer, event, await payloadOf(event));
    if (writer.isFull && !(await writer.flush())) return;
  }
  writer.text(list.tail);
  writer.end();
}

function noEvents({ entity, asOf, asOfRecorded }: EntityStateWanted): Error {
  const happened = asOf === null ? '' : ` that happened at or before ${formatTimestamp(asOf)}`;
  const recorded =
    asOfRecorded === null ? '' : ` recorded at or before ${formatTimestamp(asOfRecorded)}`;
  return problem(
    'entity_not_found',
    `The entity ${quoted(entity)} has no events${happened}${recorded}.`,
  );
}

function stateMembers(wanted: EntityStateWanted, { last, eventCount }: EntityState): string {
  const { entity, asOf, asOfRecorded } = wanted;
  const facts = {
    entity_id: entity,
    last_updated: formatTimestamp(last.timestamp),
    event_count: eventCount,
    version: last.version,
    as_of: asOf === null ? null : formatTimestamp(asOf),
    // Left out where it was not asked for, as clients of one clock know it.
    as_of_recorded: asOfRecorded === null ? undefined : formatTimestamp(asOfRecorded),
  };
  return JSON.stringify(facts).slice(0, -1);
}

function writeHistoryEntry(writer: JsonWriter, event: StoredEvent, payload: Buffer): void {
  const timestamp = formatTimestamp(event.timestamp);
  writer.text(
    `{"event_id":"${event.id}","type":"${event.type}","timestamp":"${timestamp}","version":${event.version},"payload":`,
  );
  writer.bytes(payload);
  writer.text('}');
}
