import { describe, expect, it } from '@jest/globals';
import { ValidationError } from '@event-driven-io/emmett';
import { EventTypes } from './event-types.ts';

describe('the names of event types', () => {
  it.each([
    ['ShoppingCartOpened', 'shopping.cart.opened'],
    ['ProductItemAddedToShoppingCart', 'product.item.added.to.shopping.cart'],
    ['APIKeyCreated', 'api.key.created'],
    ['orderPlaced', 'order.placed'],
    ['V2OrderPlaced', 'v2.order.placed'],
    ['order.placed', 'order.placed'],
    ['order.item_added', 'order.item_added'],
    ['order_placed', 'order_placed'],
    ['guest:checked-in', 'guest.checked.in'],
    ['Order/Placed now', 'order.placed.now'],
    ['__emt:Caught', '__emt.caught'],
    ['größe', 'gr_f6_dfe'],
    ['受注', '_53d7_6ce8'],
    ['🦀', '_1f980'],
  ])('%s is stored as %s, which the store takes', (type, stored) => {
    expect(new EventTypes().storeType(type)).toBe(stored);
    expect(stored).toMatch(/^[a-z0-9_]+(?:\.[a-z0-9_]+)*$/);
  });

  it.each(['', '...', '_system.key', '_system', 'A'.repeat(129)])(
    'refuses %j, for which there is no name',
    (type) => {
      expect(() => new EventTypes().storeType(type)).toThrow(ValidationError);
    },
  );

  it('can be fixed, for both directions', () => {
    const types = new EventTypes({ CartOpened: 'shop.cart.opened' });
    expect(types.storeType('CartOpened')).toBe('shop.cart.opened');
    expect(types.emmettType('shop.cart.opened')).toBe('CartOpened');
    expect(types.emmettType('order.placed')).toBe('order.placed');
    expect(() => new EventTypes({ CartOpened: 'Shop' })).toThrow(ValidationError);
  });
});
