/**
 * Needs no store.
 *
 * Prints:
 *     decided: as expected
 *     refused: as expected
 *     in memory: paid, version 2
 *     conflict: order-1 is at version 2
 */
import { type EventOf, type NewEventOf, VersionConflictError } from '@allsource/client';
import { decider, InMemoryStore } from '@allsource/client/testing';
import type { ShopEvents } from './connect.ts';

type Order = { isPlaced: boolean; isPaid: boolean };
type Fact = Pick<EventOf<ShopEvents>, 'eventType'>;

// Your own code: what a command leads to, without a word about storage.
function evolve(order: Order, { eventType }: Fact): Order {
  return {
    isPlaced: order.isPlaced || eventType === 'order.placed',
    isPaid: order.isPaid || eventType === 'order.paid',
  };
}

function pay(order: Order, by: 'card' | 'cash'): Fact & { payload: { by: 'card' | 'cash' } } {
  if (!order.isPlaced) throw new RangeError('there is no such order');
  if (order.isPaid) throw new RangeError('the order is paid already');
  return { eventType: 'order.paid', payload: { by } };
}

const initialState = () => ({ isPlaced: false, isPaid: false });
const order = decider({ initialState, evolve, decide: pay });

order
  .given({ eventType: 'order.placed' })
  .when('card')
  .thenEvents({ eventType: 'order.paid', payload: { by: 'card' } });
console.log('decided: as expected');
order
  .given({ eventType: 'order.placed' }, { eventType: 'order.paid' })
  .when('cash')
  .thenThrows(/paid already/);
console.log('refused: as expected');

// The clients of your application, on a store in memory with the rules of the real one.
const store = new InMemoryStore();
const core = store.coreClient<ShopEvents>();
const query = store.queryClient<ShopEvents>();
const paid: NewEventOf<ShopEvents> = {
  eventType: 'order.paid',
  entityId: 'order-1',
  payload: { by: 'card' },
};
await core.ingestEvent({ eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } });
const { version } = await core.ingestEvent({ ...paid, expectedVersion: 1 });
const history = await query.getEntityEvents('order-1');
console.log(
  `in memory: ${history.reduce(evolve, initialState()).isPaid ? 'paid' : 'open'}, version ${version}`,
);
try {
  await core.ingestEvent({ ...paid, expectedVersion: 1 });
} catch (error) {
  if (error instanceof VersionConflictError)
    console.log(`conflict: order-1 is at version ${error.currentVersion}`);
}
