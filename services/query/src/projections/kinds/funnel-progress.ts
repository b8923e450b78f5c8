import type { JsonValue } from './compiled-projection.ts';

/** An attempt that has come to a step: when its first step was, and when this one. Microseconds. */
export interface Attempt {
  readonly start: number;
  readonly at: number;
}

/** How far one key has come. */
export interface FunnelProgress {
  /** Steps reached by its best attempt. */
  readonly reached: number;
  /** For each step, the attempt with the latest start that has come to it. */
  readonly attempts: readonly (Attempt | null)[];
}

/** An event taken by a funnel. */
export interface FunnelStep {
  readonly timestamp: number;
  readonly windowMicros: number;
  /** Whether the event is one of a step, for each step. */
  readonly matches: readonly boolean[];
}

/** A step reached for the first time by a key, and how long after the step before; null for the first step. */
export interface ReachedStep {
  readonly step: number;
  readonly afterMicros: number | null;
}

/**
 * How far a key has come with one more event, and the step that it has reached for the first time, if any.
 *
 * Of the attempts that have come to a step, the one that started last leaves the most time for the steps that follow, so no other has to be kept. An event is taken once in an attempt: later steps are
 * looked at first. It follows a step only when it did not happen before it, and within the window from the attempt's first step.
 */
export function advanced(
  before: FunnelProgress,
  event: FunnelStep,
): { readonly progress: FunnelProgress; readonly reached: ReachedStep | null } {
  const attempts = before.attempts.slice();
  let reached: ReachedStep | null = null;
  for (let step = event.matches.length - 1; step >= 0; step--) {
    if (event.matches[step] !== true) continue;
    const last = step === 0 ? null : (attempts[step - 1] ?? null);
    const attempt = step === 0 ? firstStep(event) : following(last, event);
    if (attempt === null || !isBetter(attempt, attempts[step] ?? null)) continue;
    attempts[step] = attempt;
    if (step >= before.reached)
      reached = { step, afterMicros: last === null ? null : event.timestamp - last.at };
  }
  return { progress: { reached: (reached?.step ?? before.reached - 1) + 1, attempts }, reached };
}

function firstStep({ timestamp }: FunnelStep): Attempt {
  return { start: timestamp, at: timestamp };
}

function following(last: Attempt | null, { timestamp, windowMicros }: FunnelStep): Attempt | null {
  if (last === null || timestamp < last.at || timestamp > last.start + windowMicros) return null;
  return { start: last.start, at: timestamp };
}

function isBetter(attempt: Attempt, known: Attempt | null): boolean {
  return known === null || attempt.start > known.start;
}

/** The progress as a state, and back: two numbers for each step. */
export function progressToJson({ reached, attempts }: FunnelProgress): JsonValue {
  return {
    reached,
    attempts: attempts.map((one) => (one === null ? null : [one.start, one.at])),
  };
}

interface KeptProgress {
  readonly reached: number;
  readonly attempts: readonly (readonly [number, number] | null)[];
}

export function progressFromJson(state: JsonValue | undefined, steps: number): FunnelProgress {
  if (state === undefined) return { reached: 0, attempts: Array<null>(steps).fill(null) };
  const { reached, attempts } = state as unknown as KeptProgress;
  return {
    reached,
    attempts: attempts.map((one) => (one === null ? null : { start: one[0], at: one[1] })),
  };
}
