/**
 * A store of orders, for benchmarks of the read side: core and the query service as processes from their bundles, over events of about 200 bytes, each of a random
 * entity.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunningCore, type RunningQuery, startQuery } from '../subjects/core.ts';

const BATCH = 1_000;
const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.returned'];

export interface Orders {
  /** Where the store's own folder is made, and removed afterwards. */
  readonly folder: string;
  readonly events: number;
  readonly entities: number;
}

let seed = 1;
/** A whole number from 0 to below `end`. */
export function random(end: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * end);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export class OrderStore {
  readonly core: RunningCore;
  readonly query: RunningQuery;

  constructor(core: RunningCore, query: RunningQuery) {
    this.core = core;
    this.query = query;
  }

  /** Asks the gateway: `line` is "METHOD /path", or the path alone for GET. Throws what it refuses. */
  async ask<T>(line: string, body?: unknown): Promise<T> {
    const { url, apiKey } = this.query.target;
    const [method, path] = line.startsWith('/') ? ['GET', line] : line.split(' ');
    const response = await fetch(`${url}/api/v1${path}`, {
      ...(method === undefined ? {} : { method }),
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new TypeError(`${line}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  async fill({ events, entities }: Orders): Promise<void> {
    while (!(await fetch(`${this.query.target.url}/readyz`)).ok) await sleep(20);
    for (let first = 0; first < events; first += BATCH)
      await this.ask('POST /events/batch', { events: orders(first, entities) });
    // The read side has work of its own with new events; linearizable reads return when it is done.
    for (;;) {
      try {
        await this.ask('/projections/event_counters/state');
        await this.ask('/events/query?limit=1');
        return;
      } catch {
        await sleep(200);
      }
    }
  }
}

function orders(first: number, entities: number): object[] {
  return Array.from({ length: BATCH }, (_, i) => ({
    event_type: TYPES[random(TYPES.length)],
    // Each entity comes once before any comes by chance: reads ask for any of them.
    entity_id: `order-${first + i < entities ? first + i : random(entities)}`,
    payload: {
      number: first + i,
      total: random(100_000) / 100,
      customer: `customer-${random(1_000_000)}`,
      note: 'x'.repeat(60),
      status: random(2) === 0,
    },
  }));
}

/** Starts a store, fills it, works with it, and removes it. */
export async function withOrders(
  wanted: Orders,
  work: (store: OrderStore) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(wanted.folder, 'allsource-bench-orders-'));
  try {
    const core = await RunningCore.start(folder);
    try {
      const query = await startQuery(core);
      try {
        const store = new OrderStore(core, query);
        await store.fill(wanted);
        await work(store);
      } finally {
        await query.stop();
      }
    } finally {
      await core.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
