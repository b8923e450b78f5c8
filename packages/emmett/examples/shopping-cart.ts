import { randomUUID } from 'node:crypto';
import { getAllSourceEventStore } from '@allsource/emmett';
import { CommandHandler, type Event, IllegalStateError } from '@event-driven-io/emmett';

type CartEvent =
  | Event<'ProductItemAdded', { product: string; price: number }>
  | Event<'ShoppingCartConfirmed', { by: string }>;

interface Cart {
  readonly prices: readonly number[];
  readonly isConfirmed: boolean;
}

const initialState = (): Cart => ({ prices: [], isConfirmed: false });

function evolve(cart: Cart, event: CartEvent): Cart {
  switch (event.type) {
    case 'ProductItemAdded':
      return { ...cart, prices: [...cart.prices, event.data.price] };
    case 'ShoppingCartConfirmed':
      return { ...cart, isConfirmed: true };
  }
}

function addItem(product: string, price: number) {
  return (cart: Cart): CartEvent => {
    if (cart.isConfirmed) throw new IllegalStateError('the cart is confirmed');
    return { type: 'ProductItemAdded', data: { product, price } };
  };
}

function confirm(by: string) {
  return (): CartEvent => ({ type: 'ShoppingCartConfirmed', data: { by } });
}

const eventStore = getAllSourceEventStore({
  url: process.env['ALLSOURCE_URL'] ?? 'http://127.0.0.1:3902',
  apiKey: process.env['ALLSOURCE_API_KEY'],
});
const handle = CommandHandler<Cart, CartEvent>({ evolve, initialState });
const cartId = `cart-${randomUUID()}`;

await handle(eventStore, cartId, addItem('book', 19.99));
await handle(eventStore, cartId, addItem('pen', 7.99));
await handle(eventStore, cartId, confirm('alice'));

const { state } = await eventStore.aggregateStream(cartId, { evolve, initialState });
const total = state.prices.reduce((sum, price) => sum + price, 0);
console.log(`the cart ${cartId} holds ${state.prices.length} items for ${total.toFixed(2)}`);

// A decision against the state is refused, and nothing is stored.
await handle(eventStore, cartId, addItem('lamp', 49)).catch((error: Error) => {
  console.log(`refused: ${error.message}`);
});
await eventStore.close();
