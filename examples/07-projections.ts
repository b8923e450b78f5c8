/**
 * Prints:
 *     the store keeps: entity_snapshots
 *     merged: {"total":42,"by":"card"}
 *     yours: {"status":"open"}, of 2
 */
import { core, fresh, query } from './connect.ts';

const entityId = fresh('order');
await core.ingestBatch([
  { eventType: 'order.placed', entityId, payload: { total: 42 } },
  { eventType: 'order.paid', entityId, payload: { by: 'card' } },
]);

// Projections that the store itself keeps.
const kept = (await query.listProjections()).map(({ name }) => name);
console.log(`the store keeps: ${kept.filter((name) => name === 'entity_snapshots').join()}`);
console.log(
  `merged: ${JSON.stringify(await query.getProjectionState('entity_snapshots', entityId))}`,
);

// States that you work out and keep in the store: durable, all or none of a bulk save.
const projection = fresh('order-status');
await core.bulkPutProjectionStates(projection, [
  { entityId: 'order-1', state: { status: 'open' } },
  { entityId: 'order-2', state: { status: 'paid' } },
]);
const { total } = await core.listProjectionStates(projection);
console.log(
  `yours: ${JSON.stringify(await query.getProjectionState(projection, 'order-1'))}, of ${total}`,
);
