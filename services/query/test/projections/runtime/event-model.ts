import type { StandInCore } from '../../gateway/stand-in-core.ts';

export interface ModelEvent {
  readonly position: number;
  readonly type: string;
  readonly entity: string;
  readonly partition: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The events of a tenant up to a position, in the order of the log, read from the frames by themselves. */
export function eventsOf(core: StandInCore, tenant: string, until = Infinity): ModelEvent[] {
  const events: ModelEvent[] = [];
  for (const frame of core.log.frames) {
    if (frame.isSystem || frame.tenant !== tenant) continue;
    for (const { position, type, entity, partition, payload } of frame.events())
      if (position <= until)
        events.push({
          position,
          type,
          entity,
          partition,
          payload: JSON.parse(payload.toString()) as Record<string, unknown>,
        });
  }
  return events;
}

/** A fold of events into a state for each entity. */
export function byEntity<T>(
  events: readonly ModelEvent[],
  { initial, fold }: { readonly initial: T; readonly fold: (state: T, event: ModelEvent) => T },
): Record<string, T> {
  const states: Record<string, T> = {};
  for (const event of events) states[event.entity] = fold(states[event.entity] ?? initial, event);
  return states;
}

/** Lists the numbers of an entity's events in their order; throws for bad ones. */
export const LIST_UNLESS_BAD = `(state, event) => {
  if (event.payload.bad) throw new Error('event ' + event.payload.n + ' is bad');
  return [...state, event.payload.n];
}`;
export const LIST_ALL = '(state, event) => [...state, event.payload.n]';

export function scripted(
  source: string,
  initial: unknown = [],
): {
  readonly type: 'custom';
  readonly definition: Readonly<Record<string, unknown>>;
} {
  return { type: 'custom', definition: { language: 'javascript', source, initial_state: initial } };
}

export function listModel(events: readonly ModelEvent[]): Record<string, unknown[]> {
  return byEntity<unknown[]>(events, {
    initial: [],
    fold: (state, { payload }) => [...state, payload['n']],
  });
}
