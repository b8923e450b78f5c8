import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import { type LoggedSystemEvent, SystemFold } from '@allsource/shared/protocol';
import type { LogFold } from '../append/journal.ts';
import { SortedNames } from './sorted-names.ts';

/** The states of one projection: by entity, the position of the event that holds the newest state. */
interface ProjectionStates {
  readonly positions: Map<string, Position>;
  readonly entities: SortedNames;
}

type SavedRow = readonly [tenant: string, projection: string, entity: string, at: Position];
/** Printing so many takes well below a millisecond. */
const ROWS_PER_PART = 1000;

/** One row of a listing. */
export interface StateRow {
  readonly entity: string;
  readonly position: Position;
}

/** Which rows of a listing are wanted. */
export interface StateWindow {
  readonly prefix: string;
  readonly offset: number;
  readonly limit: number;
}

/** A page of a listing. `total` counts all rows with the prefix. */
export interface StatePage {
  readonly rows: StateRow[];
  readonly total: number;
}

/**
 * The fold of all projection states. It keeps where each state lies and not the state: what core holds in memory grows with the number of
 * states and not with their size.
 */
export class ProjectionStateFold extends SystemFold implements LogFold {
  readonly sectionName = 'states/1';
  readonly #tenants = new Map<string, Map<string, ProjectionStates>>();

  protected override fold({ parsed, event, frame }: LoggedSystemEvent): void {
    if (parsed.type !== '_system.projection_state.saved') return;
    const { projection, entity_id: entity } = parsed.payload;
    setPosition(this.#statesForWriting(frame.tenant, projection), entity, event.position);
  }

  /** A state's position may be newer than the moment of the call; folding its event again sets it to the same. */
  save(): Iterable<Buffer> {
    return this.#parts(this.appliedPosition);
  }

  *#parts(position: Position): Generator<Buffer> {
    yield Buffer.from(JSON.stringify({ position }));
    let rows: SavedRow[] = [];
    for (const [tenant, projections] of this.#tenants)
      for (const [projection, { positions }] of projections)
        for (const [entity, at] of positions) {
          rows.push([tenant, projection, entity, at]);
          if (rows.length < ROWS_PER_PART) continue;
          yield Buffer.from(JSON.stringify({ rows }));
          rows = [];
        }
    yield Buffer.from(JSON.stringify({ rows }));
  }

  load(part: Buffer): void {
    const saved = JSON.parse(part.toString()) as { position?: Position; rows?: SavedRow[] };
    if (saved.position !== undefined) this.standAt(saved.position);
    for (const [tenant, projection, entity, at] of saved.rows ?? [])
      setPosition(this.#statesForWriting(tenant, projection), entity, at);
  }

  #statesForWriting(tenant: string, projection: string): ProjectionStates {
    const projections = this.#tenants.get(tenant) ?? new Map<string, ProjectionStates>();
    this.#tenants.set(tenant, projections);
    const states = projections.get(projection) ?? {
      positions: new Map(),
      entities: new SortedNames(),
    };
    projections.set(projection, states);
    return states;
  }

  /** Where the state of an entity lies, or null when none was saved. */
  find(tenant: string, projection: string, entity: string): Position | null {
    return this.#tenants.get(tenant)?.get(projection)?.positions.get(entity) ?? null;
  }

  /** How many states of a projection are saved. */
  count(tenant: string, projection: string): number {
    return this.#tenants.get(tenant)?.get(projection)?.positions.size ?? 0;
  }

  /** The states of a projection whose entity begins with `prefix`, in the order of entity ids: the page asked for. */
  async list(
    tenant: string,
    projection: string,
    { prefix, offset, limit }: StateWindow,
  ): Promise<StatePage> {
    const states = this.#tenants.get(tenant)?.get(projection);
    if (states === undefined) return { rows: [], total: 0 };
    const { positions } = states;
    const sorted = await states.entities.inOrder();
    const start = countBefore(sorted, (entity) => entity < prefix);
    const end = countBefore(sorted, (entity) => entity < prefix || entity.startsWith(prefix));
    const page = sorted.slice(start + offset, Math.min(end, start + offset + limit));
    return {
      rows: page.map((entity) => ({ entity, position: positions.get(entity) ?? POSITION_ZERO })),
      total: end - start,
    };
  }
}

function setPosition(
  { positions, entities }: ProjectionStates,
  entity: string,
  at: Position,
): void {
  if (!positions.has(entity)) entities.add(entity);
  positions.set(entity, at);
}

/** How many texts at the beginning of a sorted list fulfil a condition that, once false, stays false. */
function countBefore(sorted: readonly string[], isBefore: (text: string) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] as string)) low = middle + 1;
    else high = middle;
  }
  return low;
}
