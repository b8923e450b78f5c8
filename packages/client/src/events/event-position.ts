/**
 * The position that an event id of this store carries: a UUID of version 7 whose last 52 bits are the event's place in the whole log. Null for
 * an id that this store cannot have made, such as one of another implementation.
 *
 * @example
 * ```ts
 * const { eventId } = await core.ingestEvent({ eventType: 'order.paid', entityId: 'order-1', payload: { by: 'card' } });
 * const position = positionOfEventId(eventId);
 * ```
 */
export function positionOfEventId(id: string): number | null {
  const hex = id.replaceAll('-', '');
  if (!/^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/i.test(hex)) return null;
  const position = Number.parseInt(hex.slice(19), 16);
  return position > 0 && Number.isSafeInteger(position) ? position : null;
}
