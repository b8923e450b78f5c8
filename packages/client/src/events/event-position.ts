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
  if (id.length !== 36 || id[14] !== '7' || !'89abAB'.includes(id[19] ?? ' ')) return null;
  // A digit before the last dash and twelve behind it: 52 bits.
  const position = Number(`0x${id.slice(22, 23)}${id.slice(24)}`);
  return position > 0 && Number.isSafeInteger(position) ? position : null;
}
