/**
 * Prints:
 *     1 order.placed 10
 *     2 order.paid card
 *     newest first: order.paid, of 2
 *     paid by card: 1
 *     state: {"total":10,"by":"card"}
 */
import { QueryEventsParams } from '@allsource/client';
import { core, fresh, query, type ShopEvents } from './connect.ts';

const entityId = fresh('order');
await core.ingestBatch([
  { eventType: 'order.placed', entityId, payload: { total: 10 } },
  { eventType: 'order.paid', entityId, payload: { by: 'card' } },
]);

// `eventType` tells the payloads apart.
for await (const event of query.iterateEvents({ entityId })) {
  if (event.eventType === 'order.placed')
    console.log(event.version, event.eventType, event.payload.total);
  if (event.eventType === 'order.paid')
    console.log(event.version, event.eventType, event.payload.by);
}

const page = await query.queryEvents({ entityId, order: 'desc', limit: 1 });
console.log(`newest first: ${page.events[0]?.eventType}, of ${page.totalCount}`);

const ofOrder = new QueryEventsParams<ShopEvents>().entityId(entityId);
const paid = await query.queryEvents(ofOrder.eventType('order.paid').payload({ by: 'card' }));
console.log(`paid by card: ${paid.count}`);

const { currentState } = await query.getEntityState(entityId);
console.log(`state: ${JSON.stringify(currentState)}`);
