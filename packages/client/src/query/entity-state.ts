import { listMember, numberMember, optionalText, parseObject, textMember } from '../http/wire.ts';

export interface EntityStateEvent {
  readonly eventId: string;
  readonly eventType: string;
  readonly timestamp: string;
  readonly payload: unknown;
}

/** The folded state of an entity: the shallow merge of its payloads, in order. */
export interface EntityState {
  readonly entityId: string;
  readonly lastUpdated: string | null;
  readonly eventCount: number;
  readonly asOf: string | null;
  readonly currentState: unknown;
  readonly history: readonly EntityStateEvent[];
  /** The answer's JSON text exactly as the server sent it. */
  readonly json: string;
}

/** Reads the answer of `GET /api/v1/entities/{id}/state`. */
export function parseEntityState(json: string): EntityState {
  const state = parseObject(json);
  return {
    entityId: textMember(state, 'entity_id'),
    lastUpdated: optionalText(state, 'last_updated'),
    eventCount: numberMember(state, 'event_count'),
    asOf: optionalText(state, 'as_of'),
    currentState: state['current_state'],
    history: listMember(state, 'history').map((event) => ({
      eventId: textMember(event, 'event_id'),
      eventType: textMember(event, 'type'),
      timestamp: textMember(event, 'timestamp'),
      payload: event['payload'],
    })),
    json,
  };
}
