/**
 * How many keys came from step to step, in order and within a window.
 *
 * A key is an entity, or the value of a field. It counts once for each step: for the furthest that one of its attempts came. An attempt begins with each event of the first
 * step; its steps follow each other by `timestamp`, the whole within the window from its first step. Events that fit no step change nothing, repeated ones start anew or are passed
 * over. Events of a key are taken in the order of the log: one that happened before the step that it would follow does not follow it, so what arrives out of order may be missed.
 *
 * What is read is one state; how far each key has come is kept in states that are not shown.
 */
import { LIMITS } from '@allsource/shared/limits';
import { eventTypeFault } from '@allsource/shared/model';
import { TypeFilter } from '@allsource/shared/protocol';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { type Condition, optionalCondition } from './condition.ts';
import { definitionFault, DefinitionMembers, type DefinitionValue } from './definition-members.ts';
import { EventFields } from './event-fields.ts';
import { advanced, progressFromJson, progressToJson, type ReachedStep } from './funnel-progress.ts';
import {
  EMPTY_SKETCH,
  quantile,
  type QuantileSketch,
  sketchOf,
  sketchPlus,
} from './quantile-sketch.ts';
import { HIDDEN, type KeySource, keySourceOf, sourceKey } from './state-key.ts';

/** The key of the state that is read. */
export const FUNNEL_KEY = 'funnel';
const MICROS_PER_SECOND = 1_000_000;

interface Step {
  readonly name: string;
  readonly eventType: string;
  readonly filter: TypeFilter;
  readonly where: Condition | null;
}

interface FunnelOptions {
  readonly steps: readonly Step[];
  readonly windowSeconds: number;
  readonly key: KeySource;
}

/** Keys that reached each step, and the seconds between it and the step before. */
interface FunnelState {
  readonly reached: readonly number[];
  readonly seconds: readonly QuantileSketch[];
}

class Funnel implements CompiledProjection {
  readonly #options: FunnelOptions;

  constructor(options: FunnelOptions) {
    this.#options = options;
  }

  fold(event: FoldedEvent, states: StateTable): void {
    const { steps, windowSeconds, key: source } = this.#options;
    const fields = new EventFields(event);
    const matches = steps.map(
      ({ filter, where }) => filter.matches(event.eventType) && (where === null || where(fields)),
    );
    if (!matches.includes(true)) return;
    const key = HIDDEN + sourceKey(fields, source);
    const before = progressFromJson(states.get(key), steps.length);
    // It cannot come further.
    if (before.reached === steps.length) return;
    const windowMicros = windowSeconds * MICROS_PER_SECOND;
    const { timestamp } = event;
    const { progress, reached } = advanced(before, { timestamp, windowMicros, matches });
    states.set(key, progressToJson(progress));
    if (reached !== null)
      states.set(
        FUNNEL_KEY,
        asJson(counted(asFunnel(states.get(FUNNEL_KEY), steps.length), reached)),
      );
  }

  merge(key: string, states: readonly JsonValue[]): JsonValue {
    if (key !== FUNNEL_KEY) return states[0] ?? null;
    const { length } = this.#options.steps;
    const parts = states.map((state) => asFunnel(state, length));
    return asJson({
      reached: this.#options.steps.map((_, step) =>
        parts.reduce((sum, { reached }) => sum + (reached[step] ?? 0), 0),
      ),
      seconds: this.#options.steps.map((_, step) =>
        sketchOf(parts.map(({ seconds }) => seconds[step] ?? EMPTY_SKETCH)),
      ),
    });
  }

  present(key: string, state: JsonValue): JsonValue | null {
    if (key !== FUNNEL_KEY) return null;
    const { steps, windowSeconds } = this.#options;
    const { reached, seconds } = asFunnel(state, steps.length);
    const entered = reached[0] ?? 0;
    const completed = reached.at(-1) ?? 0;
    return {
      window_seconds: windowSeconds,
      entered,
      completed,
      conversion: share(completed, entered),
      steps: steps.map(({ name, eventType }, step) => ({
        step: step + 1,
        name,
        event_type: eventType,
        ...figuresOf(step, reached),
        median_seconds: step === 0 ? null : quantile(seconds[step] ?? EMPTY_SKETCH, 0.5),
      })),
    };
  }

  close(): void {}
}

/** Of one step: how many came, which share of those before that is, and how many of them came no further. */
function figuresOf(step: number, reached: readonly number[]): Readonly<Record<string, JsonValue>> {
  const count = reached[step] ?? 0;
  const previous = step === 0 ? count : (reached[step - 1] ?? 0);
  const further = reached[step + 1] ?? count;
  return {
    count,
    conversion: share(count, previous),
    conversion_from_start: share(count, reached[0] ?? 0),
    drop_off: count - further,
    drop_off_rate: share(count - further, count),
  };
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function counted(
  { reached, seconds }: FunnelState,
  { step, afterMicros }: ReachedStep,
): FunnelState {
  const sketch = seconds[step] ?? EMPTY_SKETCH;
  return {
    reached: reached.with(step, (reached[step] ?? 0) + 1),
    seconds:
      afterMicros === null
        ? seconds
        : seconds.with(step, sketchPlus(sketch, afterMicros / MICROS_PER_SECOND)),
  };
}

function asFunnel(state: JsonValue | undefined, steps: number): FunnelState {
  if (state !== undefined) return state as unknown as FunnelState;
  return {
    reached: Array<number>(steps).fill(0),
    seconds: Array<QuantileSketch>(steps).fill(EMPTY_SKETCH),
  };
}

function asJson(state: FunnelState): JsonValue {
  return state as unknown as JsonValue;
}

/** `{"steps":[{"event_type":"cart.opened"},{"event_type":"order.placed","where":{"field":"total","op":"gt","value":0}}],"window_seconds":3600,"key":"customer.id"}`. */
export function compileFunnel(definition: DefinitionValue): CompiledProjection {
  const members = new DefinitionMembers(definition, ['steps', 'window_seconds', 'key']);
  const steps = members.list('steps', { min: 2, max: LIMITS.funnelStepsMax }).map(stepOf);
  const windowSeconds = members.whole('window_seconds', {
    min: 1,
    max: LIMITS.funnelWindowSecondsMax,
  });
  return new Funnel({ steps, windowSeconds, key: keySourceOf(members) });
}

function stepOf(wanted: DefinitionValue): Step {
  const members = new DefinitionMembers(wanted, ['name', 'event_type', 'where']);
  const eventType = members.text('event_type', LIMITS.projectionNameLengthMax);
  requireTypePattern(eventType, members.at('event_type').pointer);
  return {
    name: members.has('name') ? members.text('name', LIMITS.projectionNameLengthMax) : eventType,
    eventType,
    filter: new TypeFilter([eventType]),
    where: optionalCondition(members, 'where'),
  };
}

/** An event type, or `prefix.*`. */
function requireTypePattern(pattern: string, pointer: string): void {
  if (pattern === '*') return;
  const fault = eventTypeFault(pattern.endsWith('.*') ? pattern.slice(0, -2) : pattern);
  if (fault !== null)
    throw definitionFault(pointer, `is no event type and no prefix.*: ${fault.replace(/\.$/, '')}`);
}
