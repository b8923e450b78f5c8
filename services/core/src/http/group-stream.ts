/**
 * A streamed append: groups of events come in one behind the other, each becomes one commit, and each is acknowledged on the answer as soon as it is
 * durable. Called by the lanes (ndjson-handler.ts, arrow-routes.ts), which cut the groups.
 *
 * Promises: an acknowledged group is durable (I-1), a group is stored whole or not at all, and groups are stored in the order of the stream: the first
 * that fails is the last that is looked at. Memory is bounded, for one group is read while one is on its way; a slow disk and a client that does not
 * read its acknowledgements both stop the reading of its events. A client that goes away leaves the groups that were sent to the disk.
 *
 * With an idempotency key each group has a key of its own, made of the stream's key and the group's number: the same stream with the same key, after a
 * break or a crash, gets the first answers again for what is stored, and appends the rest (I-6).
 *
 * The answer is NDJSON, with lines of three kinds: `group`, and in the end `summary` or `problem`. A problem before the first acknowledgement is
 * answered with its status instead, as on every other route.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Problem, problemToWire } from '@allsource/shared/errors';
import type { Clock } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { discardBody, toProblem } from '@allsource/service-kit/http';
import type { Logger } from '@allsource/service-kit/observability';
import type { EventGroup } from '../append/event-group.ts';
import type { IngestLimits } from '../append/ingest-request.ts';
import type { AppendCommand, AppendOutcome, Journal } from '../append/journal.ts';
import type { CoreMetrics } from '../observability/core-metrics.ts';
import type { SchemaCheck } from '../schemas/schema-check.ts';
import type { SchemaGate } from '../schemas/schema-gate.ts';
import { writeWithBackPressure } from './back-pressure.ts';
import { requireAppended } from './append-route.ts';
import type { StreamSlots } from './stream-slots.ts';
import type { YoungCollector } from '@allsource/service-kit/lifecycle';

export const NDJSON_CONTENT_TYPE = 'application/x-ndjson';

/** What every streamed append of core rests on. */
export interface GroupStreamParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly limits: IngestLimits;
  readonly metrics: CoreMetrics;
  readonly logger: Logger;
  readonly youngCollector: YoungCollector;
  readonly schemas: SchemaGate;
  readonly streams: StreamSlots;
}

export interface GroupStreamOptions extends GroupStreamParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly groups: AsyncIterable<EventGroup>;
  /** What places are called on the wire. */
  readonly unit: 'line' | 'row';
  /** The tenant of a group whose events name this one. Throws a problem when it may not be. */
  readonly tenantOf: (named: string | null, group: EventGroup) => string;
  /** Throws a problem when no further group may be appended: core stops, or the key has been revoked. */
  readonly requireOpen: () => void;
  readonly key: string | null;
}

/** The client has closed its connection; nobody reads an answer. */
class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

export class GroupStream {
  readonly #options: GroupStreamOptions;
  readonly #durable = { places: 0, events: 0, groups: 0, replayed_groups: 0 };
  #firstPosition: number | null = null;
  #lastPosition: number | null = null;
  /** Counts every group that is cut, also one without events, so that a number always means the same bytes. */
  #number = 0;
  #places = 0;

  constructor(options: GroupStreamOptions) {
    this.#options = options;
  }

  /** Appends all groups and answers. Throws a problem for the caller to answer while nothing has been acknowledged. */
  run(): Promise<void> {
    return this.#options.streams.run(() => this.#appendAndAnswer());
  }

  async #appendAndAnswer(): Promise<void> {
    const { request, response } = this.#options;
    try {
      await this.#appendAll();
      this.#startAnswer();
      response.end(`${JSON.stringify(this.#summary())}\n`);
    } catch (error) {
      if (error instanceof ClientGoneError || isGone(request, response)) this.#noteGone();
      else if (!response.headersSent) throw error;
      else this.#endWith(toProblem(error));
    }
  }

  async #appendAll(): Promise<void> {
    let onItsWay: Promise<void> = Promise.resolve();
    try {
      for await (const group of this.#options.groups) {
        await onItsWay;
        onItsWay = this.#append(group);
        // It is awaited one turn later; until then its failure is nobody's.
        onItsWay.catch(() => {});
      }
    } finally {
      // A group on its way was before whatever ended the reading: it is acknowledged, or its own failure is the answer.
      await onItsWay;
    }
  }

  async #append(group: EventGroup): Promise<void> {
    const { journal, limits, clock, schemas, requireOpen, tenantOf } = this.#options;
    this.#number++;
    this.#places = group.last;
    requireOpen();
    // Until the append nothing is awaited: the journal has room for one scanned request.
    const context = { limits, now: clock.nowMicros() };
    const { eventCount, tenant: named, ...read } = group.read(context);
    let { events } = read;
    if (eventCount === 0) return;
    const tenant = tenantOf(named, group);
    const idempotency = this.#idempotency(group);
    const isStored = () => idempotency !== null && journal.isKnown(tenant, idempotency);
    const check = schemas.begin(tenant, isStored);
    const advance = () => check === null || this.#advance(check, group, events);
    while (!advance()) {
      await nextTurn();
      if ('generation' in events) ({ events } = group.read(context));
    }
    const outcome = await journal.append({ tenant, events, idempotency });
    const done = appended(outcome, group, this.#options.unit);
    await this.#acknowledge(group, done, done.isReplay ? 0 : (check?.warnings ?? 0));
  }

  /** Goes on with the check of a group. A violation names the place of its event. */
  #advance(check: SchemaCheck, group: EventGroup, events: AppendCommand['events']): boolean {
    const { journal, unit } = this.#options;
    try {
      return check.advance(journal.textsOf(events));
    } catch (error) {
      const failure = toProblem(error);
      const { index } = failure.members;
      throw typeof index === 'number' ? atPlace(failure, group.placeOf(index), unit) : failure;
    }
  }

  #idempotency(group: EventGroup) {
    const { key } = this.#options;
    // A header cannot hold a line feed, so no client's own key is ever the same.
    return key === null ? null : { key: `${key}\n${this.#number}`, bodyDigest: group.digest() };
  }

  async #acknowledge(
    group: EventGroup,
    outcome: ReturnType<typeof requireAppended>,
    warnings: number,
  ): Promise<void> {
    const { frame, notes, isReplay } = outcome;
    const { metrics, youngCollector, response } = this.#options;
    if (notes !== null) metrics.countIngested(frame.eventCount, notes.types);
    // The group was about as large as its frame.
    youngCollector.note(frame.bytes.length * 2);
    this.#count(group, frame, isReplay);
    this.#startAnswer();
    const line = `${this.#groupLine(group, outcome, warnings)}\n`;
    if (!(await writeWithBackPressure(response, line)))
      throw new ClientGoneError('the client does not read its acknowledgements any more');
  }

  #count(group: EventGroup, frame: Frame, isReplay: boolean): void {
    this.#durable.places = group.last;
    this.#durable.events += frame.eventCount;
    this.#durable.groups++;
    if (isReplay) this.#durable.replayed_groups++;
    this.#firstPosition ??= frame.position;
    this.#lastPosition = frame.lastPosition;
  }

  #groupLine(
    { first, last }: EventGroup,
    { frame, isReplay }: ReturnType<typeof requireAppended>,
    warnings: number,
  ): string {
    const { unit } = this.#options;
    return JSON.stringify({
      kind: 'group',
      group: this.#number,
      [`first_${unit}`]: first,
      [`last_${unit}`]: last,
      events: frame.eventCount,
      first_position: frame.position,
      last_position: frame.lastPosition,
      ...(isReplay ? { replayed: true } : {}),
      ...(warnings > 0 ? { schema_warnings: warnings } : {}),
    });
  }

  #summary() {
    const { places: _, ...counts } = this.#durable;
    return {
      kind: 'summary',
      [`${this.#options.unit}s`]: this.#places,
      ...counts,
      first_position: this.#firstPosition,
      last_position: this.#lastPosition,
    };
  }

  #startAnswer(): void {
    const { response } = this.#options;
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': `${NDJSON_CONTENT_TYPE}; charset=utf-8` });
  }

  #endWith(failure: Problem): void {
    const { request, response, metrics, logger, unit } = this.#options;
    metrics.countRefused(failure.code);
    if (failure.isFault)
      logger.error({ err: failure.cause ?? failure, ...this.#durable }, 'streamed append failed');
    const { places, events, groups } = this.#durable;
    // What stands on a stream is read by clients of either port; the gateway hands it on as it is.
    const wire = problemToWire(failure, 'gateway');
    const durable = {
      [`durable_${unit}s`]: places,
      durable_events: events,
      durable_groups: groups,
    };
    discardBody(request);
    response.end(`${JSON.stringify({ kind: 'problem', ...wire, ...durable })}\n`);
  }

  #noteGone(): void {
    this.#options.logger.info(
      { ...this.#durable },
      'the client of a streamed append has gone; what was durable is kept, the rest is dropped',
    );
  }
}

function isGone(request: IncomingMessage, response: ServerResponse): boolean {
  return response.closed || response.destroyed || (request.destroyed && !request.complete);
}

/** The outcome of an append that took place; a conflict names the place of its event. */
function appended(outcome: AppendOutcome, group: EventGroup, unit: 'line' | 'row') {
  if (outcome.kind === 'appended') return requireAppended(outcome);
  try {
    return requireAppended(outcome);
  } catch (error) {
    throw atPlace(toProblem(error), group.placeOf(outcome.index), unit);
  }
}

function atPlace(failure: Problem, place: number, unit: 'line' | 'row'): Problem {
  const { code, message, members } = failure;
  return new Problem(code, `${message} (${unit} ${place}; nothing of its group was stored)`, {
    ...members,
    [unit]: place,
  });
}
