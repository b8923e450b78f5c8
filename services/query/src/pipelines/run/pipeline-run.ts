/**
 * Carries out one pipeline: takes the log frame by frame, works on the events that are its, and saves what came of them together with the position.
 *
 * Promise: the file holds what exactly the events up to its position have come to, each event once, whatever happens to the process or to the connection to core.
 * What an event changes counts whole or not at all: an event that an operator cannot work with is counted, remembered with its reason, and passed.
 *
 * Ordering: events in the order of the log, one after another. The pipelines of a process take turns; each gives way behind a few milliseconds. When too
 * much waits to be sent, no more is read.
 *
 * Failure: what cannot be saved is not taken; the follower brings the same frames again. A source of `enrich` that does not answer is asked again with growing
 * pauses, then the event counts as failed.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Deferred, deferred } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, position } from '@allsource/shared/model';
import { type Frame, type FrameEvent, TypeFilter } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import { isDamage } from '../../projections/projection-database.ts';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import { emittedTypes } from '../definition/output-definition.ts';
import { Carried } from '../operators/carried.ts';
import { type LookupOf, OperatorChain } from '../operators/compile-operators.ts';
import { OperatorFault, SourceUnavailable } from '../operators/operator.ts';
import { OperatorStates } from '../operators/operator-states.ts';
import { causeOf, NO_CAUSE } from './emission.ts';
import type { EventOutputs } from './output-plan.ts';
import { OutputPlan } from './output-plan.ts';
import type { Outbox } from './outbox.ts';
import type { PipelineFile } from './pipeline-file.ts';
import { StretchDraft } from './stretch-draft.ts';

/** How long a pipeline works before others have their turn. */
const TURN_MS = 4;
/** Events and states that are saved at once. */
const STRETCH_EVENTS_MAX = 2_000;
const STRETCH_STATES_MAX = 10_000;
/** Positions that may be passed over before that is written down. */
const PASSED_MAX = 50_000;
const LOOKUP_TRIES = 5;
const LOOKUP_DELAY_MS = 200;

export interface PipelineRunOptions {
  readonly pipeline: Pipeline;
  readonly file: PipelineFile;
  readonly outbox: Outbox;
  readonly lookupOf: LookupOf;
  /** Told behind each stretch that has changed something. */
  readonly onSaved: () => void;
  /** Told when the file is found to be damaged. */
  readonly onDamaged: () => void;
}

/** Who waits for a position. */
interface Waiter {
  readonly wanted: number;
  readonly reached: () => void;
}

export class PipelineRun implements FrameSink {
  readonly #options: PipelineRunOptions;
  readonly #tenant: Buffer;
  readonly #filter: TypeFilter;
  readonly #chain: OperatorChain;
  readonly #plan: OutputPlan;
  readonly #emits: boolean;
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #states: OperatorStates;
  #draft = new StretchDraft();
  #position: Position;
  #logId: string | null;
  #turnEndsAt = 0;
  #drained: Deferred<void> | null = null;
  #waiting: string | null = null;

  constructor(options: PipelineRunOptions) {
    const { pipeline, file, lookupOf } = options;
    this.#options = options;
    this.#tenant = Buffer.from(pipeline.tenant);
    this.#filter = new TypeFilter(pipeline.sourceEventTypes);
    this.#chain = new OperatorChain(pipeline.operators, lookupOf);
    this.#plan = new OutputPlan(pipeline);
    this.#emits = emittedTypes(pipeline.output).length > 0;
    this.#states = new OperatorStates(file);
    this.#position = position(file.progress.position);
    this.#logId = file.progress.logId;
  }

  get appliedPosition(): Position {
    return this.#position;
  }

  get logId(): string | null {
    return this.#logId;
  }

  /** What it waits for, in a sentence; null when it waits for nothing but events. */
  get waiting(): string | null {
    return this.#waiting;
  }

  /** Resolves true when everything up to a position is saved, false after `timeoutMs`. */
  waitFor(wanted: number, timeoutMs: number): Promise<boolean> {
    if (this.#position >= wanted) return Promise.resolve(true);
    const reached = deferred<boolean>();
    const waiter: Waiter = { wanted, reached: () => reached.resolve(true) };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => reached.resolve(false), timeoutMs);
    return reached.promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    });
  }

  /** Takes no more events. */
  stop(): void {
    this.#stopping.abort();
    this.noteDrained();
  }

  /** Says that less waits to be sent than before. */
  noteDrained(): void {
    this.#drained?.resolve();
    this.#drained = null;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    try {
      for (const frame of frames) await this.#take(frame, logId);
      this.#save(frames.at(-1)?.lastPosition ?? this.#position, logId);
    } catch (error) {
      // Half of a stretch is in memory; the follower begins again where the file stands.
      this.#draft = new StretchDraft();
      this.#states = new OperatorStates(this.#options.file);
      if (isDamage(error)) this.#options.onDamaged();
      throw error;
    }
    await this.#giveRoom();
  }

  advance(to: Position, logId: string): void {
    this.#save(to, logId);
  }

  reset(): void {
    this.#options.file.clear();
    this.#draft = new StretchDraft();
    this.#states = new OperatorStates(this.#options.file);
    this.#position = position(0);
    this.#logId = null;
  }

  async #take(frame: Frame, logId: string): Promise<void> {
    if (!frame.isSystem && frame.tenantBytes.equals(this.#tenant)) {
      for (const event of frame.events()) {
        if (!this.#isWanted(event)) continue;
        await this.#work(event);
        await this.#giveWay();
      }
    }
    const { eventCount } = this.#draft;
    if (eventCount >= STRETCH_EVENTS_MAX || this.#states.changeCount >= STRETCH_STATES_MAX) {
      this.#save(frame.lastPosition, logId);
      await this.#giveRoom();
    }
  }

  #isWanted(event: FrameEvent): boolean {
    return event.position > this.#options.pipeline.startAfter && this.#filter.matches(event.type);
  }

  async #work(event: FrameEvent): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.#states.begin();
      this.#draft.begin(event);
      try {
        this.#draft.put(await this.#outputsOf(event));
        this.#waiting = null;
        return;
      } catch (error) {
        this.#states.undo();
        if (!(error instanceof SourceUnavailable)) {
          if (!(error instanceof OperatorFault)) throw error;
          return this.#draft.fail(error.message);
        }
        if (tries >= LOOKUP_TRIES) return this.#draft.fail(error.message);
        this.#waiting = error.message;
        await sleep(LOOKUP_DELAY_MS * 2 ** tries, null, { signal: this.#stopping.signal });
      }
    }
  }

  async #outputsOf(event: FrameEvent): Promise<EventOutputs> {
    const cause = this.#emits ? causeOf(event) : NO_CAUSE;
    if (this.#emits && cause.hops >= LIMITS.pipelineHopsMax) {
      this.#draft.noteCut();
      throw new OperatorFault(
        `The event has come through ${cause.hops} pipelines; at most ${LIMITS.pipelineHopsMax} are allowed, so that none feeds itself for ever.`,
      );
    }
    const value = Carried.ofEvent(event.payload.toString('utf8'), {
      eventId: event.id,
      eventType: event.type,
      entityId: event.entity,
      position: event.position,
      timestamp: event.timestamp,
    });
    const values = await this.#chain.apply(value, {
      states: this.#states,
      noteLate: () => this.#draft.noteLate(),
      noteFiltered: () => this.#draft.noteFiltered(),
    });
    const outputs = this.#plan.of({ values, cause, recordedAt: event.frame.recordedAt });
    this.#requireRows(outputs);
    return outputs;
  }

  #requireRows({ results }: EventOutputs): void {
    const { file } = this.#options;
    const max = LIMITS.pipelineRowsMax;
    if (file.progress.rowCount + this.#draft.resultCount + results.length <= max) return;
    const isFresh = results.some(({ key, value }) => value !== null && !file.hasResult(key));
    if (isFresh)
      throw new OperatorFault(`The table has ${max} rows, which is the most it may have.`);
  }

  async #giveWay(): Promise<void> {
    if (performance.now() >= this.#turnEndsAt) {
      await nextTurn();
      this.#turnEndsAt = performance.now() + TURN_MS;
    }
    this.#stopping.signal.throwIfAborted();
  }

  #save(to: Position, logId: string): void {
    const { file, onSaved } = this.#options;
    this.#logId = logId;
    const changes = this.#draft.isEmpty ? null : this.#draft;
    if (changes === null) {
      this.#moveTo(to);
      if (to - file.progress.position >= PASSED_MAX) file.advance(to, logId);
      return;
    }
    file.save({ ...changes.stretch(), states: this.#states.take(), position: to, logId });
    this.#draft = new StretchDraft();
    onSaved();
    this.#moveTo(to);
  }

  #moveTo(to: Position): void {
    this.#position = to;
    for (const { wanted, reached } of this.#waiters) if (to >= wanted) reached();
  }

  /** Waits while too much is to be sent, or could not be sent. */
  async #giveRoom(): Promise<void> {
    for (;;) {
      this.#stopping.signal.throwIfAborted();
      this.#waiting = this.#fullBecause();
      if (this.#waiting === null) return;
      this.#drained ??= deferred<void>();
      await this.#drained.promise;
    }
  }

  #fullBecause(): string | null {
    const { pending, dead } = this.#options.outbox.counts();
    const { pipelineOutboxMax, pipelineDeadLettersMax } = LIMITS;
    if (pending > pipelineOutboxMax) return `${pending} outputs wait to be sent`;
    if (dead < pipelineDeadLettersMax) return null;
    return `there are ${dead} dead letters; try them again, or reset the pipeline`;
  }
}
