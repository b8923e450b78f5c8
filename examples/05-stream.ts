/**
 * Prints:
 *     replay order.placed
 *     caught up
 *     live order.paid
 */
import { core, fresh, stream } from './connect.ts';

const consumerId = fresh('mailer');
const entityId = fresh('order');
const beginning = await core.ingestEvent({
  eventType: 'order.placed',
  entityId,
  payload: { total: 42 },
});

// The cursor of a consumer is kept by the store: a process that comes back goes on where it was.
for await (const item of stream.subscribe({
  consumerId,
  eventTypes: ['order.placed', 'order.paid'],
})) {
  if (item.kind === 'caught_up') {
    console.log('caught up');
    await core.ingestEvent({ eventType: 'order.paid', entityId, payload: { by: 'card' } });
  }
  if (item.kind !== 'event') continue;
  // Other examples have orders too.
  if (item.event.entityId === entityId) console.log(item.phase, item.event.eventType);
  if (item.position !== null && item.phase === 'live')
    await core.ackConsumer(consumerId, item.position);
  if (item.event.entityId === entityId && item.event.version > beginning.version) break;
}
