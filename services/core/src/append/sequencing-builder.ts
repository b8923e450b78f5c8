/** The commit builder in TypeScript: it reads no requests itself, and needs nothing but the language. */
import type { Clock, Micros } from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import type { Frame } from '@allsource/shared/protocol';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import type { LogHead } from '../storage/log-store.ts';
import {
  type CommitBuilder,
  countTypes,
  type Placement,
  type PlacementOutcome,
} from './commit-builder.ts';
import { EntityFold } from './entity-fold.ts';
import { Sequencer } from './sequencer.ts';

export interface SequencingBuilderOptions {
  readonly clock: Clock;
  /** 22 random bits for event ids. */
  readonly random: () => number;
}

export class SequencingBuilder implements CommitBuilder {
  readonly entities = new EntityFold();
  readonly #options: SequencingBuilderOptions;
  #sequencer: Sequencer | null = null;

  constructor(options: SequencingBuilderOptions) {
    this.#options = options;
  }

  get sections(): readonly CheckpointSection[] {
    return [this.entities];
  }

  replay(frame: Frame): void {
    this.entities.apply(frame);
  }

  begin(head: LogHead, recordedAt: Micros): void {
    this.#sequencer = new Sequencer({
      ...this.#options,
      head,
      entities: this.entities,
      recordedAt,
    });
  }

  scan(): null {
    return null;
  }

  scanLines(): null {
    return null;
  }

  scanColumns(): null {
    return null;
  }

  textsOf(): never {
    throw problem('internal', 'This builder reads no requests.');
  }

  place(placement: Placement): PlacementOutcome {
    const { events } = placement;
    assert(!('generation' in events), 'this builder reads no requests');
    const outcome = this.#begun().place({ ...placement, events });
    if (outcome.kind === 'conflict') return outcome;
    return { ...outcome, notes: { answer: null, types: countTypes(outcome.frame) } };
  }

  settle(frame: Frame): void {
    this.entities.apply(frame);
    this.#begun().settle(frame);
  }

  rollBack(): void {
    this.#begun().rollBack();
  }

  #begun(): Sequencer {
    assert(this.#sequencer !== null, 'the builder has begun');
    return this.#sequencer;
  }
}
