/** The event that every subject stores: an order of about 200 bytes as JSON, padded when more is asked for. */

export interface BenchEvent {
  readonly type: string;
  readonly entity: string;
  /** JSON texts. */
  readonly payload: string;
  readonly metadata: string;
}

/** The member of the payload that pads an event. Where a long entity id leaves no room for it, the event has none. */
export const PADDING_MEMBER = 'note';

/** An event of an entity; `bytes` is the size of its JSON text, at least about 190. */
export function benchEvent(options: {
  readonly entity: string;
  readonly bytes: number;
}): BenchEvent {
  const bare = orderEvent(options.entity, '');
  const missing = options.bytes - eventJson(bare).length - `,"${PADDING_MEMBER}":""`.length;
  return missing < 0
    ? bare
    : orderEvent(options.entity, `,"${PADDING_MEMBER}":"${'n'.repeat(missing)}"`);
}

/** The event as the JSON that the API takes, with an expected version where one is given. */
export function eventJson(event: BenchEvent, expectedVersion: number | null = null): string {
  const condition = expectedVersion === null ? '' : `,"expected_version":${expectedVersion}`;
  return `{"event_type":"${event.type}","entity_id":"${event.entity}","payload":${event.payload},"metadata":${event.metadata}${condition}}`;
}

function orderEvent(entity: string, extra: string): BenchEvent {
  const items = '[{"sku":"A1","qty":2},{"sku":"B2","qty":1}]';
  return {
    type: 'order.placed',
    entity,
    payload: `{"amount":123.45,"currency":"EUR","items":${items}${extra}}`,
    metadata: '{"correlation_id":"c-1"}',
  };
}
