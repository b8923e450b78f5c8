import { crc32 } from 'node:zlib';
/** Pages by cursor, plans and budgets of event queries. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventRoutes } from '../../src/http/event-routes.ts';
import type { QueryLimits } from '../../src/reads/query-budget.ts';
import { QueryBudget } from '../../src/reads/query-budget.ts';
import { ReadGate } from '../../src/reads/read-gate.ts';
import { fakeFollower } from '../support/fake-follower.ts';
import { GeneratedLog, randomLog, TENANTS } from '../support/generated-log.ts';
import { modelQuery, type ModelQuery } from '../support/naive-model.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import { type Served, serveRoutes } from '../support/serve-routes.ts';

interface World extends ReadSide {
  readonly log: GeneratedLog;
  readonly served: Served;
  /** Applies what the log has more. */
  readonly catchUp: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface WorldOptions {
  readonly blockEvents?: number;
  readonly limits?: QueryLimits;
}

async function world(log: GeneratedLog, options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-queries-'));
  const side = await openReadSide(folder, options.blockEvents ?? 64);
  await follow(side.history, log);
  const gate = new ReadGate({
    follower: fakeFollower(side.history, log.head),
    store: side.history,
    waitMs: 50,
  });
  const { limits } = options;
  const served = await serveRoutes(
    eventRoutes({ ...side, gate, ...(limits === undefined ? {} : { limits }) }),
  );
  const close = async () => {
    await served.close();
    await side.history.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...side, log, served, catchUp: () => follow(side.history, log), close };
}

const idsOf = (events: readonly { id: string }[]) => events.map(({ id }) => id);

/** Follows the cursors of a query to its end; `between` runs after each page. */
async function allPages(
  { served }: World,
  query: {
    readonly parameters: string;
    readonly tenant: string;
    readonly between?: () => Promise<void>;
  },
): Promise<{ readonly ids: string[]; readonly pages: number }> {
  const ids: string[] = [];
  let cursor = '';
  for (let pages = 1; ; pages++) {
    const { body } = await served.get(
      `/api/v1/events/query?${query.parameters}${cursor}`,
      query.tenant,
    );
    ids.push(...idsOf(body.events));
    if (body.next_cursor === undefined) return { ids, pages };
    expect(body.has_more).toBe(true);
    cursor = `&cursor=${body.next_cursor}`;
    await query.between?.();
  }
}

describe('cursors', () => {
  const seed = propertySeed('query cursors');
  const worlds: World[] = [];

  beforeAll(async () => {
    worlds.push(await world(randomLog({ seed, events: 400, pastShare: 0 })));
    worlds.push(
      await world(randomLog({ seed: seed + 1, events: 400, pastShare: 0.2 }), { blockEvents: 25 }),
    );
  });
  afterAll(async () => {
    for (const each of worlds) await each.close();
  });

  it('lead through any query page by page, each event once and in order', async () => {
    const random = new Random(seed);
    for (let i = 0; i < 60; i++) {
      const each = random.pick(worlds);
      const tenant = random.pick(TENANTS);
      const order = random.pick(['asc', 'desc'] as const);
      const narrow: [string, ModelQuery] = random.pick([
        ['', {}],
        ['event_type_prefix=order.&', { typePrefix: 'order.' }],
        ['entity_id=o-1&', { entity: 'o-1' }],
        ['payload_filter={"status":"open"}&', { payloadFilter: '{"status":"open"}' }],
      ] as [string, ModelQuery][]);
      const limit = 1 + random.below(40);
      const parameters = `${narrow[0]}order=${order}&limit=${limit}`;
      const { ids, pages } = await allPages(each, { parameters, tenant });
      const { page } = modelQuery(each.log.events, tenant, { ...narrow[1], order });
      expect({ parameters, ids }).toEqual({ parameters, ids: idsOf(page) });
      expect(pages).toBe(Math.max(1, Math.ceil(page.length / limit)));
    }
  });

  it('stay where they are while events are appended: nothing twice, nothing left out', async () => {
    const random = new Random(seed + 2);
    const log = randomLog({ seed: seed + 3, events: 120, pastShare: 0 });
    const own = await world(log, { blockEvents: 30 });
    const known = modelQuery(log.events, 'acme', { order: 'desc' }).page;
    const between = async () => {
      // Newer than all that is known: one of the same instant may belong between two that are.
      const timestamp = log.now + 60_000_000;
      log.commit('acme', [{ type: 'note', entity: `new-${random.below(5)}`, timestamp }]);
      await own.catchUp();
    };
    const down = await allPages(own, { parameters: 'order=desc&limit=7', tenant: 'acme', between });
    expect(down.ids).toEqual(idsOf(known));
    // On the way up the new ones are met at the end, but no more are added than one page holds.
    const up = await allPages(own, { parameters: 'order=asc&limit=7', tenant: 'acme', between });
    expect(up.ids).toEqual(idsOf(modelQuery(log.events, 'acme', {}).page).slice(0, up.ids.length));
    expect(up.ids.length).toBeGreaterThanOrEqual(known.length);
    await own.close();
  });

  it('are refused with the reason when they are of another query, another tenant or no cursor', async () => {
    const { served } = worlds[0] as World;
    const path = '/api/v1/events/query?';
    const { body } = await served.get(`${path}limit=1&event_type_prefix=o`, 'acme');
    const cursor: string = body.next_cursor;
    const damaged = `${cursor.slice(0, 20)}${cursor[20] === 'A' ? 'B' : 'A'}${cursor.slice(21)}`;
    const refused = async (parameters: string, tenant = 'acme') => {
      const answer = await served.get(path + parameters, tenant);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_parameter']);
      return `${answer.body.parameter}: ${answer.body.error.message}`;
    };
    expect((await served.get(`${path}limit=5&event_type_prefix=o&cursor=${cursor}`)).status).toBe(
      200,
    );
    expect(await refused(`limit=1&event_type_prefix=o&cursor=${cursor}`, 'globex')).toMatch(
      /cursor: .*another tenant/,
    );
    expect(await refused(`limit=1&event_type_prefix=u&cursor=${cursor}`)).toMatch(
      /cursor: .*another query/,
    );
    expect(await refused(`limit=1&event_type_prefix=o&order=desc&cursor=${cursor}`)).toMatch(
      /another query/,
    );
    expect(await refused(`limit=1&event_type_prefix=o&cursor=${damaged}`)).toMatch(
      /is not a cursor/,
    );
    expect(await refused('limit=1&cursor=42')).toMatch(/is not a cursor/);
    const older = Buffer.alloc(45, 1);
    older.writeUInt32LE(crc32(older.subarray(5)), 1);
    expect(await refused(`limit=1&cursor=${older.toString('base64url')}`)).toMatch(
      /of another version of this service/,
    );
    expect(await refused(`limit=1&event_type_prefix=o&offset=1&cursor=${cursor}`)).toMatch(
      /offset: .*beside/,
    );
  });

  it('work for the lists of older clients as well', async () => {
    const { served, log } = worlds[1] as World;
    const first = (await served.get('/api/events/type/note?limit=3', 'acme')).body;
    const second = (
      await served.get(`/api/events/type/note?limit=3&cursor=${first.next_cursor}`, 'acme')
    ).body;
    const { page } = modelQuery(log.events, 'acme', { type: 'note', limit: 6 });
    expect(idsOf([...first.data, ...second.data])).toEqual(idsOf(page));
  });
});

/** Blocks of 10 events of one tenant, a second apart, one type each block. */
function steadyLog(blocks: number): GeneratedLog {
  const log = new GeneratedLog();
  for (let i = 0; i < blocks * 10; i++) {
    const type = `kind_${Math.floor(i / 10)}`;
    const timestamp = 1_700_000_000_000_000 + i * 1_000_000;
    log.commit('acme', [{ type, entity: `e-${i % 20}`, timestamp, payload: `{"i":${i}}` }]);
  }
  return log;
}

const instant = (second: number) => new Date((1_700_000_000 + second) * 1000).toISOString();

describe('plans', () => {
  let steady: World;

  beforeAll(async () => {
    steady = await world(steadyLog(6), { blockEvents: 10 });
  });
  afterAll(() => steady.close());

  const explain = async (parameters: string) => {
    const { body } = await steady.served.get(`/api/v1/events/query?explain=true&${parameters}`);
    const { plan, blocks_searched, blocks_skipped, rows_scanned, payloads_read } = body.explain;
    return {
      plan,
      blocks_searched,
      blocks_skipped,
      rows_scanned,
      payloads_read,
      total: body.total_count,
    };
  };
  // The seventh run is the tail, which is empty.
  it.each([
    [
      'limit=1',
      {
        plan: 'every_row',
        blocks_searched: 6,
        blocks_skipped: { tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 60,
      },
    ],
    [
      'entity_id=e-3',
      {
        plan: 'entity_index',
        blocks_searched: 3,
        blocks_skipped: { entity: 3, tenant: 1 },
        rows_scanned: 3,
        payloads_read: 0,
        total: 3,
      },
    ],
    [
      'entity_id=nobody',
      {
        plan: 'none',
        blocks_searched: 0,
        blocks_skipped: { entity: 6, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 0,
      },
    ],
    [
      'event_type=kind_2',
      {
        plan: 'every_row',
        blocks_searched: 1,
        blocks_skipped: { type: 5, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 10,
      },
    ],
    [
      `since=${instant(15)}&until=${instant(24)}`,
      {
        plan: 'time_range',
        blocks_searched: 2,
        blocks_skipped: { time: 4, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 10,
      },
    ],
    [
      `entity_id=e-3&until=${instant(10)}`,
      {
        plan: 'entity_index',
        blocks_searched: 1,
        // By time or by the entity, whichever is looked at first.
        blocks_skipped: expect.any(Object),
        rows_scanned: 1,
        payloads_read: 0,
        total: 1,
      },
    ],
    [
      'event_type=kind_2&payload_filter={"i":25}',
      {
        plan: 'every_row',
        blocks_searched: 1,
        blocks_skipped: { type: 5, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 10,
        total: 1,
      },
    ],
    [
      'entity_id=e-3&payload_filter={"i":23}',
      {
        plan: 'entity_index',
        blocks_searched: 3,
        blocks_skipped: { entity: 3, tenant: 1 },
        rows_scanned: 3,
        payloads_read: 3,
        total: 1,
      },
    ],
    [
      'exclude_event_type_prefix=kind_1,kind_2,kind_3&limit=0',
      {
        plan: 'every_row',
        blocks_searched: 3,
        blocks_skipped: { type: 3, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 30,
      },
    ],
    [
      'as_of_recorded=2000-01-01T00:00:00Z',
      {
        plan: 'none',
        blocks_searched: 0,
        blocks_skipped: { recorded_time: 6, tenant: 1 },
        rows_scanned: 0,
        payloads_read: 0,
        total: 0,
      },
    ],
  ])('%s', async (parameters, expected) => {
    expect(await explain(parameters)).toEqual(expected);
  });

  it('scan the column of types where a block holds several, and look at the tenant where it holds others', async () => {
    const log = randomLog({ seed: 5, events: 200, pastShare: 0 });
    const mixed = await world(log, { blockEvents: 100_000 });
    const { body } = await mixed.served.get(
      '/api/v1/events/query?explain=true&event_type=note&limit=0',
      'acme',
    );
    expect(body.explain).toMatchObject({
      plan: 'type_column',
      rows_scanned: log.events.length,
      payloads_read: 0,
    });
    expect(body.total_count).toBe(modelQuery(log.events, 'acme', { type: 'note' }).total);
    await mixed.close();
  });

  it('sort only what stands out of time order', async () => {
    const log = steadyLog(6);
    const past = 1_700_000_005_500_000;
    for (let i = 0; i < 10; i++)
      log.commit('acme', [{ type: 'late', entity: 'late', timestamp: past }]);
    const own = await world(log, { blockEvents: 10 });
    const newest = await own.served.get('/api/v1/events/query?explain=true&order=desc&limit=5');
    expect(newest.body.explain.rows_sorted).toBe(0);
    const oldest = await own.served.get('/api/v1/events/query?explain=true&limit=8');
    // The first block and the one with the late events overlap.
    expect(oldest.body.explain.rows_sorted).toBe(20);
    expect(idsOf(oldest.body.events)).toEqual(
      idsOf(modelQuery(log.events, 'acme', { limit: 8 }).page),
    );
    await own.close();
  });

  it('sort about a page, however many events are out of time order', async () => {
    const log = new GeneratedLog();
    const start = 1_700_000_000_000_000;
    for (let i = 0; i < 4000; i++) {
      // Each hundredth event happened long before it was recorded, so that all blocks overlap.
      const timestamp = start + (i % 100 === 0 ? i * 10 : i * 1_000_000);
      log.commit('acme', [{ type: 'note', entity: `e-${i % 7}`, timestamp }]);
    }
    const own = await world(log, { blockEvents: 200 });
    for (const parameters of ['order=desc&limit=20', 'order=asc&limit=20&offset=30']) {
      const { body } = await own.served.get(`/api/v1/events/query?explain=true&${parameters}`);
      const wanted = Object.fromEntries(new URLSearchParams(parameters));
      const { page } = modelQuery(log.events, 'acme', {
        order: wanted.order,
        limit: Number(wanted.limit),
        offset: Number(wanted.offset ?? 0),
      });
      expect(idsOf(body.events)).toEqual(idsOf(page));
      expect(body.explain.rows_sorted).toBeLessThan(400);
    }
    const { ids } = await allPages(own, { parameters: 'order=desc&limit=150', tenant: 'acme' });
    expect(ids).toEqual(idsOf(modelQuery(log.events, 'acme', { order: 'desc' }).page));
    await own.close();
  });

  it('are not shown unless asked for', async () => {
    const { body } = await steady.served.get('/api/v1/events/query?limit=1&explain=false');
    expect(body.explain).toBeUndefined();
  });
});

describe('events of one instant', () => {
  it('stand in the order of version, then position, in any number and in both directions', async () => {
    const log = new GeneratedLog();
    const timestamp = 1_700_000_000_000_000;
    const random = new Random(11);
    for (let i = 0; i < 20; i++) {
      const drafts = Array.from({ length: 500 }, () => ({
        type: 'note',
        entity: `e-${random.below(700)}`,
        timestamp,
      }));
      log.commit('acme', drafts);
    }
    const own = await world(log, { blockEvents: 100_000 });
    for (const order of ['asc', 'desc'] as const) {
      const { body } = await own.served.get(
        `/api/v1/events/query?order=${order}&offset=9000&limit=900`,
      );
      const { page } = modelQuery(log.events, 'acme', { order, offset: 9000, limit: 900 });
      expect(idsOf(body.events)).toEqual(idsOf(page));
    }
    await own.close();
  });
});

describe('the budget of a query', () => {
  it('ends a query that looks at too many rows, with the numbers and what to do', async () => {
    const own = await world(steadyLog(6), {
      blockEvents: 10,
      limits: { rowsMax: 25, msMax: 10_000 },
    });
    const ask = (parameters: string) => own.served.get(`/api/v1/events/query?${parameters}`);
    const { status, body } = await ask('payload_filter={"i":1}');
    expect([status, body.code, body.limit, body.rows_max]).toEqual([
      422,
      'query_budget_exceeded',
      'rows',
      25,
    ]);
    expect(body.rows_scanned).toBeGreaterThan(25);
    expect(body.error.message).toMatch(/Name an entity/);
    expect((await ask('event_type=kind_1&payload_filter={"i":11}')).body.total_count).toBe(1);
    expect((await ask('limit=60')).status).toBe(200);
    await own.close();
  });

  it('ends a query at its first turn after its time, and when nobody waits for it', async () => {
    let now = 0;
    const limits = { rowsMax: 100, msMax: 50 };
    const budget = new QueryBudget({ limits, now: () => now });
    now = 30;
    expect(budget.isTurnOver).toBe(true);
    await budget.nextTurn();
    expect(budget.isTurnOver).toBe(false);
    now = 51;
    await expect(budget.nextTurn()).rejects.toThrow(/took more than 50 ms/);
    const found = new QueryBudget({ limits, now: () => now });
    found.stopClock();
    now = 10_000;
    await found.nextTurn();
    expect([found.isTurnOver, found.elapsedMs]).toEqual([false, 0]);
    const left = new QueryBudget({ limits, now: () => 0, isAbandoned: () => true });
    await expect(left.nextTurn()).rejects.toThrow(/client left/);
  });
});
