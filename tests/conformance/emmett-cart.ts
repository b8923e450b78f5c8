/** The shopping cart that Emmett's own examples are about, as a decider. */
import { type Command, type Event, IllegalStateError } from '@event-driven-io/emmett';

export interface Item extends Record<string, unknown> {
  readonly productId: string;
  readonly quantity: number;
  readonly price: number;
}
export type ItemAdded = Event<'ProductItemAdded', { readonly item: Item }>;
export type DiscountApplied = Event<'DiscountApplied', { readonly percent: number }>;
export type CartConfirmed = Event<'ShoppingCartConfirmed', { readonly at: string }>;
export type CartEvent = ItemAdded | DiscountApplied | CartConfirmed;
export type AddItem = Command<'AddProductItem', { readonly item: Item }>;
export type Confirm = Command<'ConfirmShoppingCart', { readonly at: string }>;
export type CartCommand = AddItem | Confirm;

export interface Cart {
  readonly items: readonly Item[];
  readonly total: number;
  readonly isConfirmed: boolean;
}

export const initialState = (): Cart => ({ items: [], total: 0, isConfirmed: false });

export function evolve(cart: Cart, { type, data }: CartEvent): Cart {
  switch (type) {
    case 'ProductItemAdded': {
      const { item } = data;
      return {
        ...cart,
        items: [...cart.items, item],
        total: cart.total + item.price * item.quantity,
      };
    }
    case 'DiscountApplied':
      return { ...cart, total: (cart.total * (100 - data.percent)) / 100 };
    case 'ShoppingCartConfirmed':
      return { ...cart, isConfirmed: true };
  }
}

export function decide({ type, data }: CartCommand, cart: Cart): CartEvent {
  if (cart.isConfirmed) throw new IllegalStateError('the cart is confirmed');
  return type === 'AddProductItem'
    ? { type: 'ProductItemAdded', data: { item: data.item } }
    : { type: 'ShoppingCartConfirmed', data: { at: data.at } };
}

export const ITEM: Item = { productId: '123', quantity: 10, price: 3 };
export const ADDED: ItemAdded = { type: 'ProductItemAdded', data: { item: ITEM } };
export const DISCOUNT: DiscountApplied = { type: 'DiscountApplied', data: { percent: 10 } };
export const CONFIRMED: CartConfirmed = {
  type: 'ShoppingCartConfirmed',
  data: { at: '2026-01-01' },
};
