/** Bodies of batch appends as the benchmarks send them: events of about 200 bytes, one entity each. */

const ENTITY_DIGITS = 9;

function event(entity: number): string {
  const id = String(entity).padStart(ENTITY_DIGITS, '0');
  return (
    `{"event_type":"order.placed","entity_id":"order-${id}","payload":{"orderId":${entity},"amount":123.45,"currency":"EUR",` +
    `"items":[{"sku":"A1","qty":2},{"sku":"B2","qty":1}]},"metadata":{"correlation_id":"c-${id}"}}`
  );
}

/** A batch of `count` events of the entities from `first` on. */
export function batchBody(count: number, first = 1): Buffer {
  const events = Array.from({ length: count }, (_, i) => event(first + i));
  return Buffer.from(`{"events":[${events.join(',')}]}`);
}

/** A batch whose entities can be exchanged in place, so that making a body costs almost nothing. */
export class RenumberedBatch {
  readonly body: Buffer;
  readonly #places: number[] = [];

  constructor(count: number) {
    this.body = batchBody(count);
    const mark = '"entity_id":"order-';
    for (let at = this.body.indexOf(mark); at !== -1; at = this.body.indexOf(mark, at + 1))
      this.#places.push(at + mark.length);
  }

  /** Gives the events the entities from `first` on. */
  renumber(first: number): void {
    for (const [index, at] of this.#places.entries())
      this.body.write(String(first + index).padStart(ENTITY_DIGITS, '0'), at, 'latin1');
  }
}
