/**
 * Rebuilds of own projections that were asked for as replays, so that clients who know replays can follow them. A replay of an own projection is a further build of it, which the
 * definition in the log says; its record is kept in a file beside those of other replays (replay/replay-records.ts).
 *
 * The record is written behind the definition, before the caller is answered: a crash between the two leaves a build without a record. How a replay ended is found out by a look at its
 * build, each second and whenever it is asked for, also after a restart; an ended record never changes again.
 */
import { randomUUID } from 'node:crypto';
import { problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { type Clock, quoted } from '@allsource/shared/model';
import { TypeFilter } from '@allsource/shared/protocol';
import { isEnded, type ReplayRecord, type ReplayStatus } from '../replay/replay-record.ts';
import type { ReplayRecords } from '../replay/replay-records.ts';
import { isUnfiltered } from '../replay/replay-filter.ts';
import type { AnalysedProjection } from '../replay/replay-analysis.ts';
import type { ReplayWish } from '../replay/replay-request.ts';
import { rebuild, rollback } from './lifecycle.ts';
import type { OwnName, OwnProjection, OwnProjections } from './own-projections.ts';

export interface OwnReplaysOptions {
  readonly own: Pick<OwnProjections, 'find' | 'command' | 'isSettled'>;
  readonly clock: Clock;
  /** Events of a tenant that a build with these types reads. */
  readonly eventsToFold: (tenant: string, eventTypes: readonly string[]) => number;
  /** The newest head of the log that this service has heard of. */
  readonly head: () => number;
  readonly records: OwnReplayRecords;
}

/** The file of the records. */
type OwnReplayRecords = Pick<
  ReplayRecords<OwnReplayRecord>,
  'put' | 'one' | 'ofTenant' | 'open' | 'delete' | 'close'
>;

/** What is kept of a replay, and the build that it makes. */
export interface OwnReplayRecord extends ReplayRecord {
  readonly build: number;
}

const LOOK_MS = 1_000;

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
  /** Null: as far as it was when it was last looked at. */
  readonly share: number | null;
  readonly message: string | null;
}

export class OwnReplays {
  readonly #options: OwnReplaysOptions;
  readonly #looks: NodeJS.Timeout;

  constructor(options: OwnReplaysOptions) {
    this.#options = options;
    this.#looks = setInterval(() => {
      for (const record of options.records.open()) this.#current(record);
    }, LOOK_MS).unref();
  }

  /** Begins another build. Throws `operation_running` while the last one is made, and `invalid_body` for a wish with filters. */
  async begin(
    { tenant, name }: OwnName,
    { filter, config }: ReplayWish,
    initiatedBy: string,
  ): Promise<ReplayRecord> {
    if (!isUnfiltered(filter))
      throw problem(
        'invalid_body',
        `${quoted(name)} is a projection of your own and is replayed whole; filters and times are for projections of the store itself.`,
        { pointer: '/projection_name' },
      );
    this.#requireNoneUnderWay({ tenant, name });
    const { own, clock, eventsToFold, records } = this.#options;
    const { definition } = await own.command({ tenant, name }, rebuild);
    const startedAt = clock.nowMicros();
    const record: OwnReplayRecord = {
      id: randomUUID(),
      request: { tenant, initiatedBy, projection: name, filter, config },
      build: definition.build,
      status: 'running',
      createdAt: startedAt,
      startedAt,
      updatedAt: startedAt,
      completedAt: null,
      totalEvents: eventsToFold(tenant, definition.event_types),
      processedEvents: 0,
      activeMs: 0,
      message: null,
      generation: null,
      outcomes: [],
    };
    records.put(record, false);
    return record;
  }

  /** A replay of a tenant; null when there is none. */
  one(tenant: string, id: string): ReplayRecord | null {
    const found = this.#options.records.one(tenant, id);
    return found === null ? null : this.#current(found);
  }

  /** The replays of a tenant, the newest first. */
  ofTenant(tenant: string): ReplayRecord[] {
    return this.#options.records.ofTenant(tenant).map((record) => this.#current(record));
  }

  /**
   * Stays with the build that is read. The other one is kept while nothing takes its place, so it can still be chosen. Null for a replay that has ended; throws `wrong_status` where no
   * other build can be read.
   */
  async cancel(tenant: string, id: string): Promise<ReplayRecord | null> {
    const found = this.#options.records.one(tenant, id);
    const record = found === null ? null : this.#current(found);
    if (record === null || isEnded(record.status)) return null;
    const { own } = this.#options;
    const name = nameOf(record);
    const live = own.find(tenant, name)?.state?.live_build ?? null;
    if (live === null)
      throw problem(
        'wrong_status',
        `The replay ${id} makes the only build of ${quoted(name)} that there is. Pause or delete the projection instead.`,
        { replay_status: record.status },
      );
    await own.command({ tenant, name }, rollback(live));
    const message = `Build ${live} is read on; build ${record.build} can be chosen with a rollback to it.`;
    return this.#end(record, { status: 'cancelled', message, share: null });
  }

  /** Forgets the record of a replay. */
  delete(tenant: string, id: string): void {
    this.#options.records.delete(tenant, id);
  }

  /** The replay of a projection that has not ended; null when there is none. */
  underWay({ tenant, name }: OwnName): ReplayRecord | null {
    const ofName = this.#options.records
      .open()
      .filter((record) => record.request.tenant === tenant && nameOf(record) === name);
    return ofName.map((one) => this.#current(one)).find(({ status }) => !isEnded(status)) ?? null;
  }

  /** Looks no more, and closes the file. Idempotent. */
  close(): void {
    clearInterval(this.#looks);
    this.#options.records.close();
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

  /** A record as it is at the moment; kept when that is its end. */
  #current(record: OwnReplayRecord): OwnReplayRecord {
    if (isEnded(record.status) || !this.#options.own.isSettled) return record;
    const progress = this.#progressOf(record);
    if (isEnded(progress.status)) return this.#end(record, progress);
    return this.#at(record, progress);
  }

  #end(record: OwnReplayRecord, progress: Progress): OwnReplayRecord {
    const at = this.#at(record, progress);
    const ended = { ...at, completedAt: at.updatedAt };
    this.#options.records.put(ended, true);
    return ended;
  }

  #at(record: OwnReplayRecord, { status, share, message }: Progress): OwnReplayRecord {
    const updatedAt = this.#options.clock.nowMicros();
    // Where its events lie in the log is not known, so they count as spread evenly.
    const processedEvents =
      share === null ? record.processedEvents : Math.floor(record.totalEvents * share);
    const activeMs = (updatedAt - (record.startedAt ?? updatedAt)) / 1_000;
    return { ...record, status, updatedAt, processedEvents, activeMs, message };
  }

  #progressOf(record: OwnReplayRecord): Progress {
    const { build } = record;
    const projection = this.#options.own.find(record.request.tenant, nameOf(record));
    if (projection === null)
      return { status: 'cancelled', share: null, message: 'The projection was deleted.' };
    const { definition, state } = projection;
    const made = state?.builds.find((one) => one.build === build);
    if ((state?.live_build ?? 0) >= build || ['ready', 'previous'].includes(made?.status ?? ''))
      return { status: 'completed', share: 1, message: null };
    if (made?.status === 'failed') return { status: 'failed', share: null, message: made.note };
    if (definition.build > build) {
      const message = `Build ${definition.build} took its place.`;
      return { status: 'cancelled', share: null, message };
    }
    const share = (made?.position ?? 0) / Math.max(1, this.#options.head());
    return { status: 'running', share: Math.min(share, 1), message: state?.stalled_reason ?? null };
  }
}

function nameOf({ request, id }: OwnReplayRecord): string {
  return must(request.projection, `the projection of the replay ${id}`);
}
