import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type { EventSelection } from '../history/event-history.ts';
import type { TenantNumbers } from './entity-numbers.ts';
import { EntityTimes } from './entity-times.ts';
import { scan } from './scan.ts';
import type { ScanDesk } from './scan-desk.ts';
import type { Pace } from '@allsource/service-kit/turns';

export interface SessionQuestion {
  readonly selection: EventSelection;
  readonly gapSeconds: number;
  /** Sessions that are listed, the latest first. */
  readonly limit: number;
}

/** The answer in its wire shape. */
export interface Sessions {
  readonly total_sessions: number;
  readonly total_entities: number;
  readonly total_events: number;
  readonly sessions_of_one_event: number;
  readonly avg_events_per_session: number;
  readonly max_events_per_session: number;
  readonly avg_duration_seconds: number;
  readonly max_duration_seconds: number;
  readonly sessions: readonly {
    readonly entity_id: string;
    readonly start: string;
    readonly end: string;
    readonly event_count: number;
    readonly duration_seconds: number;
  }[];
}

interface Session {
  readonly entity: number;
  readonly start: number;
  readonly end: number;
  readonly events: number;
}

const MICROS_A_SECOND = 1_000_000;
const ENTITIES_A_LOOK = 1_024;
const TIMES_A_LOOK = 8_192;

/**
 * Sessions: events of one entity that follow each other with no more than the gap in between. Throws `invalid_parameter` when more events match than one answer
 * may sort.
 */
export async function eventSessions(
  desk: ScanDesk,
  { selection, gapSeconds, limit }: SessionQuestion,
  pace: Pace,
): Promise<Sessions> {
  const entities = desk.numbers.ofTenant(selection.tenant);
  const times = await timesOf(desk, { selection, entities }, pace);
  const tally = new SessionTally(limit);
  const gap = gapSeconds * MICROS_A_SECOND;
  for (let entity = 0, looked = 0; entity < entities.count; entity++) {
    const ofEntity = times.of(entity);
    if (ofEntity.length > 0) await tally.addEntity(entity, { times: ofEntity, gap, pace });
    looked += 1 + ofEntity.length;
    if (looked < ENTITIES_A_LOOK) continue;
    looked = 0;
    if (pace.isTurnOver) await pace.nextTurn();
  }
  const latest = tally.latest();
  const names = await namesOf(desk, { selection, entities, wanted: latest }, pace);
  return {
    ...tally.facts(),
    sessions: latest.map(({ entity, start, end, events }) => ({
      entity_id: names.get(entity) ?? '',
      start: formatTimestamp(micros(start)),
      end: formatTimestamp(micros(end)),
      event_count: events,
      duration_seconds: (end - start) / MICROS_A_SECOND,
    })),
  };
}

interface Collecting {
  readonly selection: EventSelection;
  readonly entities: TenantNumbers;
}

async function timesOf(
  { history }: ScanDesk,
  { selection, entities }: Collecting,
  pace: Pace,
): Promise<EntityTimes> {
  const times = new EntityTimes();
  await scan({
    history,
    selection,
    pace,
    digests: null,
    begin: async (run) => {
      const { source } = run;
      const numbers = await entities.of(run, pace);
      return {
        addRows: (rows) => {
          requireFewEvents(times.size + rows.length);
          times.add(rows, { numbers, entities: source.entities, timestamps: source.timestamps });
        },
      };
    },
  });
  await times.sort(entities.count, pace);
  return times;
}

/** Counts sessions, and keeps those that end latest. */
class SessionTally {
  readonly #limit: number;
  #kept: Session[] = [];
  #sessions = 0;
  #entities = 0;
  #events = 0;
  #ofOne = 0;
  #eventsMax = 0;
  #durationSum = 0;
  #durationMax = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async addEntity(
    entity: number,
    {
      times,
      gap,
      pace,
    }: { readonly times: Float64Array; readonly gap: number; readonly pace: Pace },
  ): Promise<void> {
    this.#entities += 1;
    this.#events += times.length;
    let first = 0;
    for (let i = 1; i <= times.length; i++) {
      if (i % TIMES_A_LOOK === 0 && pace.isTurnOver) await pace.nextTurn();
      const isWithin = i < times.length && (times[i] as number) - (times[i - 1] as number) <= gap;
      if (isWithin) continue;
      const [start, end] = [times[first] as number, times[i - 1] as number];
      this.#add({ entity, start, end, events: i - first });
      first = i;
    }
  }

  #add(session: Session): void {
    const duration = session.end - session.start;
    this.#sessions += 1;
    this.#ofOne += session.events === 1 ? 1 : 0;
    this.#eventsMax = Math.max(this.#eventsMax, session.events);
    this.#durationSum += duration;
    this.#durationMax = Math.max(this.#durationMax, duration);
    this.#kept.push(session);
    // Cut now and then, so that each session costs its share of a sort and no more.
    if (this.#kept.length > 2 * this.#limit + ENTITIES_A_LOOK) this.#kept = this.latest();
  }

  /** The latest sessions, by their ends, then by their starts and by entity. */
  latest(): Session[] {
    return this.#kept
      .toSorted((a, b) => b.end - a.end || b.start - a.start || a.entity - b.entity)
      .slice(0, this.#limit);
  }

  facts(): Omit<Sessions, 'sessions'> {
    const sessions = Math.max(1, this.#sessions);
    return {
      total_sessions: this.#sessions,
      total_entities: this.#entities,
      total_events: this.#events,
      sessions_of_one_event: this.#ofOne,
      avg_events_per_session: this.#events / sessions,
      max_events_per_session: this.#eventsMax,
      avg_duration_seconds: this.#durationSum / sessions / MICROS_A_SECOND,
      max_duration_seconds: this.#durationMax / MICROS_A_SECOND,
    };
  }
}

/** The ids of the entities of some sessions, which are looked up in the runs again: to hold all of them would cost more. */
async function namesOf(
  { history }: ScanDesk,
  { selection, entities, wanted }: Collecting & { readonly wanted: readonly Session[] },
  pace: Pace,
): Promise<ReadonlyMap<number, string>> {
  const missing = new Set(wanted.map(({ entity }) => entity));
  const names = new Map<number, string>();
  for (const run of history.runs(selection)) {
    if (missing.size === 0) break;
    const tenant = run.source.tenantNames.indexOf(selection.tenant);
    const numbers = await entities.of(run, pace);
    for (const [entity, number] of numbers.entries()) {
      if (entity % ENTITIES_A_LOOK === 0 && pace.isTurnOver) await pace.nextTurn();
      if (run.source.entityTenants[entity] !== tenant || !missing.delete(number)) continue;
      names.set(number, run.source.entityName(entity));
    }
  }
  return names;
}

function requireFewEvents(total: number): void {
  const limit = LIMITS.correlationEventsMax;
  if (total <= limit) return;
  throw problem(
    'invalid_parameter',
    `More than ${limit} events match; at most ${limit} are put into sessions. Name an event_type, an entity_id or a shorter range.`,
    { parameter: 'since', limit },
  );
}
