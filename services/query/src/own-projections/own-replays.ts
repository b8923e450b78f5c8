/**
 * Rebuilds of own projections that were asked for as replays, so that clients who know replays can follow them. A replay of an own projection is a further build of it, and that is
 * durable; the record of the replay is in memory and is forgotten when the service ends.
 */
import { randomUUID } from 'node:crypto';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Clock, type Micros, quoted } from '@allsource/shared/model';
import { TypeFilter } from '@allsource/shared/protocol';
import type { ReplayRecord, ReplayStatus } from '../replay/replay-record.ts';
import { isUnfiltered } from '../replay/replay-filter.ts';
import type { AnalysedProjection } from '../replay/replay-analysis.ts';
import type { ReplayWish } from '../replay/replay-request.ts';
import { rebuild } from './lifecycle.ts';
import type { OwnName, OwnProjection, OwnProjections } from './own-projections.ts';

export interface OwnReplaysOptions {
  readonly own: OwnProjections;
  readonly clock: Clock;
  /** Events of a tenant that a build with these types reads. */
  readonly eventsToFold: (tenant: string, eventTypes: readonly string[]) => number;
  /** The newest head of the log that this service has heard of. */
  readonly head: () => number;
}

interface OwnReplay extends OwnName {
  readonly id: string;
  readonly build: number;
  readonly initiatedBy: string;
  readonly wish: ReplayWish;
  readonly totalEvents: number;
  readonly startedAt: Micros;
  completedAt: Micros | null;
}

/** What the preview of a replay says of an own projection. */
export function analysedProjection({ definition }: OwnProjection): AnalysedProjection {
  const { name, type, event_types } = definition;
  const filter = new TypeFilter(event_types);
  return {
    name,
    title: name,
    kind: type,
    origin: "It is a projection of the tenant's own.",
    keyedBy: type === 'event_counter' ? 'type' : 'entity',
    matches: (eventType) => filter.matches(eventType),
  };
}

/** What becomes of a build, and how much of the log it has read. */
interface Progress {
  readonly status: ReplayStatus;
  readonly share: number;
  readonly message: string | null;
}

export class OwnReplays {
  readonly #options: OwnReplaysOptions;
  /** The oldest first. */
  #replays: OwnReplay[] = [];

  constructor(options: OwnReplaysOptions) {
    this.#options = options;
  }

  /** Begins another build. Throws `operation_running` while the last one is made, and `invalid_body` for a wish with filters. */
  async begin(
    { tenant, name }: OwnName,
    wish: ReplayWish,
    initiatedBy: string,
  ): Promise<ReplayRecord> {
    if (!isUnfiltered(wish.filter))
      throw problem(
        'invalid_body',
        `${quoted(name)} is a projection of your own and is replayed whole; filters and times are for projections of the store itself.`,
        { pointer: '/projection_name' },
      );
    this.#requireNoneUnderWay({ tenant, name });
    const { own, clock, eventsToFold } = this.#options;
    const { definition } = await own.command({ tenant, name }, rebuild);
    const replay: OwnReplay = {
      id: randomUUID(),
      tenant,
      name,
      build: definition.build,
      initiatedBy,
      wish,
      totalEvents: eventsToFold(tenant, definition.event_types),
      startedAt: clock.nowMicros(),
      completedAt: null,
    };
    this.#keep(replay);
    return this.#recordOf(replay);
  }

  /** A replay of a tenant; null when there is none. */
  one(tenant: string, id: string): ReplayRecord | null {
    const found = this.#replays.find((one) => one.id === id && one.tenant === tenant);
    return found === undefined ? null : this.#recordOf(found);
  }

  /** The replays of a tenant. */
  ofTenant(tenant: string): ReplayRecord[] {
    return this.#replays.filter((one) => one.tenant === tenant).map((one) => this.#recordOf(one));
  }

  /** Forgets the record of a replay. */
  delete(tenant: string, id: string): void {
    this.#replays = this.#replays.filter((one) => one.id !== id || one.tenant !== tenant);
  }

  /** The replay of a projection that has not ended; null when there is none. */
  underWay({ tenant, name }: OwnName): ReplayRecord | null {
    const running = this.#replays.find(
      (one) =>
        one.tenant === tenant && one.name === name && this.#progressOf(one).status === 'running',
    );
    return running === undefined ? null : this.#recordOf(running);
  }

  #requireNoneUnderWay({ tenant, name }: OwnName): void {
    const running = this.underWay({ tenant, name });
    if (running === null) return;
    throw problem(
      'operation_running',
      `The projection ${quoted(name)} is being replayed: ${running.id}.`,
      { replay_id: running.id },
    );
  }

  #keep(replay: OwnReplay): void {
    const others = this.#replays.filter(({ tenant }) => tenant !== replay.tenant);
    const same = this.#replays.filter(({ tenant }) => tenant === replay.tenant);
    this.#replays = [...others, ...same.slice(1 - LIMITS.replayRecordsMax), replay];
  }

  #progressOf({ tenant, name, build }: OwnReplay): Progress {
    const projection = this.#options.own.find(tenant, name);
    if (projection === null)
      return { status: 'cancelled', share: 0, message: 'The projection was deleted.' };
    const { definition, state } = projection;
    const made = state?.builds.find((one) => one.build === build);
    if ((state?.live_build ?? 0) >= build || ['ready', 'previous'].includes(made?.status ?? ''))
      return { status: 'completed', share: 1, message: null };
    if (made?.status === 'failed') return { status: 'failed', share: 0, message: made.note };
    if (definition.build > build)
      return {
        status: 'cancelled',
        share: 0,
        message: `Build ${definition.build} took its place.`,
      };
    const share = (made?.position ?? 0) / Math.max(1, this.#options.head());
    return { status: 'running', share: Math.min(share, 1), message: state?.stalled_reason ?? null };
  }

  #recordOf(replay: OwnReplay): ReplayRecord {
    const { status, share, message } = this.#progressOf(replay);
    const now = this.#options.clock.nowMicros();
    if (status !== 'running') replay.completedAt ??= now;
    const { id, tenant, name, initiatedBy, wish, totalEvents, startedAt, completedAt } = replay;
    const { filter, config } = wish;
    return {
      id,
      request: { tenant, initiatedBy, projection: name, filter, config },
      status,
      createdAt: startedAt,
      startedAt,
      updatedAt: completedAt ?? now,
      completedAt,
      totalEvents,
      // Where its events lie in the log is not known, so they count as spread evenly.
      processedEvents: Math.floor(totalEvents * share),
      activeMs: ((completedAt ?? now) - startedAt) / 1000,
      message,
      generation: null,
      outcomes: [],
    };
  }
}
