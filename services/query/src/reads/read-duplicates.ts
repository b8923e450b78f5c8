import { canonicalJson, rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { compareTexts } from '../catalog/compare-texts.ts';
import type { EntityEntry } from '../catalog/entity-rows.ts';
import type { WindowBounds } from '../catalog/sorted-window.ts';
import type { CatalogPage } from '../catalog/tenant-catalog.ts';
import type { EventHistory } from '../history/event-history.ts';
import { defaultBudget } from './query-budget.ts';
import { type CountedEvents, countEvents } from './read-entities.ts';
import { type Pace, sortInTurns } from '@allsource/service-kit/turns';

/** Entities whose payloads are read one after the other. */
const ENTITIES_A_WINDOW = 8_192;
const NULL = 'null';

export interface DuplicatesWanted extends CountedEvents {
  /** Names of top-level payload members. */
  readonly groupBy: readonly string[];
  readonly window: WindowBounds;
}

/** Entities whose latest events say the same. */
export interface DuplicateGroup {
  /** Member name to raw JSON value, as the entity with the first id has it. */
  readonly key: ReadonlyMap<string, string>;
  /** Ascending; at least two. */
  readonly entities: readonly string[];
}

/**
 * Groups entities by members of the payload of their latest event among those meant; a missing member counts as null. Values are equal as JSON
 * values are: 1 equals 1.0, and no two large numbers fall together. The largest groups come first, of equal ones the one with the first id.
 */
export async function readDuplicates(
  history: EventHistory,
  wanted: DuplicatesWanted,
): Promise<CatalogPage<DuplicateGroup>> {
  const budget = wanted.budget ?? defaultBudget();
  const counts = await countEvents(history, { ...wanted, budget });
  const groups = new Map<string, OpenGroup>();
  for (const entries of windowsOf(counts.everyEntity())) {
    budget.takeEntities(entries.length);
    // In the order of the store, so that a chunk of text is decompressed once for a window and not once an entity.
    for (const entry of entries.sort((x, y) => x.lastPosition - y.lastPosition)) {
      budget.takePayloads(1);
      addToGroup(groups, entry.entity, latestMembers(history, wanted, entry));
      if (budget.isTurnOver) await budget.nextTurn();
    }
  }
  const found = await sortInTurns(await shared(groups, budget), compareGroups, budget);
  const { offset, limit } = wanted.window;
  const page = found.slice(offset, limit === null ? undefined : offset + limit);
  const rows: DuplicateGroup[] = [];
  for (const { key, entities } of page)
    rows.push({ key, entities: await sortInTurns(entities, compareTexts, budget) });
  return { rows, total: found.length };
}

/** The groups of more than one entity. */
async function shared(groups: ReadonlyMap<string, OpenGroup>, pace: Pace): Promise<OpenGroup[]> {
  const found: OpenGroup[] = [];
  let looked = 0;
  for (const group of groups.values()) {
    if (group.entities.length > 1) found.push(group);
    if (++looked % ENTITIES_A_WINDOW === 0 && pace.isTurnOver) await pace.nextTurn();
  }
  return found;
}

/** The elements in lists of so many. */
function* windowsOf<T>(elements: Iterable<T>): Generator<T[]> {
  let window: T[] = [];
  for (const element of elements) {
    window.push(element);
    if (window.length < ENTITIES_A_WINDOW) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

interface OpenGroup {
  readonly entities: string[];
  firstEntity: string;
  key: ReadonlyMap<string, string>;
}

function latestMembers(
  history: EventHistory,
  { tenant, groupBy }: DuplicatesWanted,
  entry: EntityEntry,
): Map<string, string> {
  const event = must(history.eventAt(tenant, entry.lastPosition), 'the event that was counted');
  const members = rawMembers(event.payload());
  return new Map(groupBy.map((name) => [name, members?.get(name) ?? NULL]));
}

function addToGroup(
  groups: Map<string, OpenGroup>,
  entity: string,
  key: ReadonlyMap<string, string>,
): void {
  // Canonical texts of JSON hold no line feed, so joined texts are equal only when all parts are.
  const id = [...key.values()].map((raw) => canonicalJson(Buffer.from(raw))).join('\n');
  const group = groups.get(id);
  if (group === undefined) {
    groups.set(id, { entities: [entity], firstEntity: entity, key });
    return;
  }
  group.entities.push(entity);
  if (compareTexts(entity, group.firstEntity) > 0) return;
  group.firstEntity = entity;
  group.key = key;
}

function compareGroups(a: OpenGroup, b: OpenGroup): number {
  return b.entities.length - a.entities.length || compareTexts(a.firstEntity, b.firstEntity);
}
