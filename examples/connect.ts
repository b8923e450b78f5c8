import { CoreClient, EventStreamClient, QueryClient } from '@allsource/client';

/** The events of these examples: the payload of each type. */
export type ShopEvents = {
  'order.placed': { total: number };
  'order.paid': { by: 'card' | 'cash' };
  'order.shipped': { parcels: number };
};

const apiKey = process.env['ALLSOURCE_API_KEY'];
export const coreOptions = { url: process.env['CORE_URL'] ?? 'http://localhost:3900', apiKey };
const queryUrl = process.env['QUERY_URL'] ?? 'http://localhost:3902';

export const core = new CoreClient<ShopEvents>(coreOptions);
export const query = new QueryClient<ShopEvents>({ url: queryUrl, apiKey });
export const stream = new EventStreamClient<ShopEvents>({ url: queryUrl, apiKey });

/** A name that no other run of an example has. */
export function fresh(kind: string): string {
  return `${kind}-${crypto.randomUUID()}`;
}
