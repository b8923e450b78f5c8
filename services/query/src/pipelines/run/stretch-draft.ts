import type { FrameEvent } from '@allsource/shared/protocol';
import type { EventOutputs } from './output-plan.ts';
import type {
  EventFault,
  OutboxEntry,
  PipelineCounts,
  ResultChange,
  Stretch,
} from './pipeline-file.ts';

const REASON_LENGTH_MAX = 500;

/** What the events of a stretch have come to, until it is saved. */
export class StretchDraft {
  readonly #counts = { processed: 0, filtered: 0, failed: 0, late: 0, cut: 0, outputs: 0 };
  readonly #results: ResultChange[] = [];
  readonly #outbox: OutboxEntry[] = [];
  readonly #faults: EventFault[] = [];
  #lastProcessed: number | null = null;
  #event: FrameEvent | null = null;
  #notes = { isFiltered: false, isLate: false, isCut: false };

  get isEmpty(): boolean {
    return this.#counts.processed === 0;
  }

  get eventCount(): number {
    return this.#counts.processed;
  }

  get resultCount(): number {
    return this.#results.length;
  }

  /** Begins an event, or begins it again. */
  begin(event: FrameEvent): void {
    this.#event = event;
    this.#notes = { isFiltered: false, isLate: false, isCut: false };
  }

  noteFiltered(): void {
    this.#notes.isFiltered = true;
  }

  noteLate(): void {
    this.#notes.isLate = true;
  }

  noteCut(): void {
    this.#notes.isCut = true;
  }

  /** Ends an event with what it puts out. */
  put({ results, outbox, unrouted }: EventOutputs): void {
    this.#results.push(...results);
    this.#outbox.push(...outbox);
    const outputs = results.length + outbox.length;
    const { isFiltered, isLate } = this.#notes;
    this.#counts.outputs += outputs;
    if (isLate) this.#counts.late += 1;
    if (outputs === 0 && (isFiltered || unrouted > 0)) this.#counts.filtered += 1;
    this.#end();
  }

  /** Ends an event that cannot be worked with. */
  fail(reason: string): void {
    const event = this.#event;
    this.#counts.failed += 1;
    if (this.#notes.isCut) this.#counts.cut += 1;
    if (event !== null) {
      const { position, id: eventId } = event;
      this.#faults.push({ position, eventId, reason: reason.slice(0, REASON_LENGTH_MAX) });
    }
    this.#end();
  }

  stretch(): Pick<Stretch, 'counts' | 'lastProcessed' | 'results' | 'outbox' | 'faults'> {
    const counts: PipelineCounts = { ...this.#counts };
    return {
      counts,
      lastProcessed: this.#lastProcessed,
      results: this.#results,
      outbox: this.#outbox,
      faults: this.#faults,
    };
  }

  #end(): void {
    this.#counts.processed += 1;
    this.#lastProcessed = this.#event?.frame.recordedAt ?? null;
    this.#event = null;
  }
}
