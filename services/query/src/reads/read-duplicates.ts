import { canonicalJson, rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { compareTexts, type EntityEntry } from '../catalog/entity-tally.ts';
import { sortedWindow, type WindowBounds } from '../catalog/sorted-window.ts';
import type { CatalogPage } from '../catalog/tenant-catalog.ts';
import type { EventHistory } from '../history/event-history.ts';
import { defaultBudget } from './query-budget.ts';
import { type CountedEvents, countEvents } from './read-entities.ts';

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
  // In the order of the store, so that a chunk of text is decompressed once and not once an entity.
  const entries = [...counts.everyEntity()].sort((a, b) => a.lastPosition - b.lastPosition);
  const groups = new Map<string, OpenGroup>();
  for (const entry of entries) {
    budget.takePayloads(1);
    addToGroup(groups, entry.entity, latestMembers(history, wanted, entry));
    if (budget.isTurnOver) await budget.nextTurn();
  }
  const found = [...groups.values()].filter((group) => group.entities.length > 1).map(closed);
  const compare = (a: number, b: number) => compareGroups(found[a], found[b]);
  const numbers = sortedWindow(found.length, compare, wanted.window);
  return {
    rows: Array.from(numbers, (number) => must(found[number], 'a group')),
    total: found.length,
  };
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

function closed({ entities, key }: OpenGroup): DuplicateGroup {
  return { key, entities: entities.sort(compareTexts) };
}

function compareGroups(a: DuplicateGroup | undefined, b: DuplicateGroup | undefined): number {
  const [left, right] = [must(a, 'a group'), must(b, 'a group')];
  return (
    right.entities.length - left.entities.length ||
    compareTexts(left.entities[0] as string, right.entities[0] as string)
  );
}
