/**
 * Prints:
 *     placed: version 1
 *     paid and shipped: versions 2, 3
 *     again: the same event, nothing stored twice
 */
import { core, fresh } from './connect.ts';

const entityId = fresh('order');

// The answer comes when the event is on the disk.
const placed = await core.ingestEvent({
  eventType: 'order.placed',
  entityId,
  payload: { total: 42.5 },
  metadata: { user: 'ada' },
});
console.log(`placed: version ${placed.version}`);

// A batch is stored whole or not at all. A key of your own makes it repeatable, also by another process.
const idempotencyKey = fresh('checkout');
const batch = [
  { eventType: 'order.paid', entityId, payload: { by: 'card' } },
  { eventType: 'order.shipped', entityId, payload: { parcels: 2 } },
] as const;
const { events } = await core.ingestBatch(batch, { idempotencyKey });
console.log(`paid and shipped: versions ${events.map(({ version }) => version).join(', ')}`);

const again = await core.ingestBatch(batch, { idempotencyKey });
if (again.isReplayed && again.events[0]?.eventId === events[0]?.eventId)
  console.log('again: the same event, nothing stored twice');
