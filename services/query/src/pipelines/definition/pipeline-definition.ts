/**
 * What a pipeline is: the document that its owner sends, as the log keeps it, and the same made ready to be carried out. Documents are system events, so they
 * survive the loss of every read store, and a change is durable before it is answered.
 *
 * `generation` counts what is computed: 1 at first, one more with each change of the sources, the operators or the output and with each reset. A
 * generation is computed anew from `start_after` on, in a file of its own. Everything that a pipeline puts out bears the name of its `run`, so that
 * what was put out is known again, and a pipeline that is registered anew under an old id is not taken for the old one.
 */
import type { OperatorDefinition } from './operator-definition.ts';
import type { OutputDefinition } from './output-definition.ts';

export const STARTS = ['beginning', 'now'] as const;
export type Start = (typeof STARTS)[number];

/** A pipeline as the log keeps it. */
export interface PipelineDocument {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly source_event_types: readonly string[];
  /** As they were sent. */
  readonly operators: readonly unknown[];
  readonly enabled: boolean;
  /** As it was sent, but for the secrets of webhooks. */
  readonly output: unknown;
  readonly start_from: Start;
  readonly generation: number;
  /** Names this generation among all that ever were: what it puts out bears it. */
  readonly run: string;
  /** The position behind which it begins. */
  readonly start_after: number;
  /** The secrets of its webhooks by route. They are never shown but when they are made. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A pipeline ready to be carried out. */
export interface Pipeline {
  readonly tenant: string;
  readonly id: string;
  readonly sourceEventTypes: readonly string[];
  readonly operators: readonly OperatorDefinition[];
  readonly output: OutputDefinition;
  readonly name: string;
  readonly generation: number;
  readonly run: string;
  readonly startAfter: number;
}
