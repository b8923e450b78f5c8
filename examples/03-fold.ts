/**
 * Prints:
 *     revenue: 30 from 2 orders
 *     of nothing: no orders
 */
import type { EventFolder, EventOf } from '@allsource/client';
import { core, fresh, query, type ShopEvents } from './connect.ts';

const [first, second] = [fresh('order'), fresh('order')];
const day = '2026-03-01T';
await core.ingestBatch([
  { eventType: 'order.placed', entityId: first, payload: { total: 10 } },
  { eventType: 'order.placed', entityId: second, payload: { total: 20 } },
  { eventType: 'order.paid', entityId: first, payload: { by: 'cash' } },
]);

const revenue = {
  initial: () => ({ sum: 0, orders: 0 }),
  apply: (state, event) => {
    if (event.eventType !== 'order.placed') return;
    if (event.entityId !== first && event.entityId !== second) return;
    state.sum += event.payload.total;
    state.orders += 1;
  },
  finalize: ({ sum, orders }) => (orders === 0 ? 'no orders' : `${sum} from ${orders} orders`),
} satisfies EventFolder<EventOf<ShopEvents>, { sum: number; orders: number }, string>;

// All pages are read, one at a time; nothing but the state is kept.
console.log('revenue:', await query.queryAndFold({ eventTypePrefix: 'order.' }, revenue));
console.log('of nothing:', await query.queryAndFold({ until: `${day}00:00:00Z` }, revenue));
