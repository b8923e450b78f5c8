import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { INTERNAL_TOKEN, StandInCore } from '../gateway/stand-in-core.ts';
import { propertySeed } from '../support/random.ts';
import { QueryProcess } from './query-process.ts';

const KEY = 'a-key-of-acme';
const KILLS = process.env.ALLSOURCE_TEST_FAULTS === 'long' ? 200 : 3;
const TIMEOUT_MS = 120_000 + KILLS * 10_000;
const ENTITIES = 3_000;

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

type Counters = Record<string, number>;

class World {
  readonly core = new StandInCore();
  readonly folder = mkdtempSync(join(tmpdir(), 'allsource-replay-kills-'));
  readonly counted: Counters = {};
  readonly values = new Map<string, number>();
  query: QueryProcess | null = null;

  append(random: SeededRandom, commits: number): void {
    for (let i = 0; i < commits; i++) {
      const events = Array.from({ length: 200 }, () => {
        const [type, entity] = [`t${random.below(3)}`, `e-${random.below(ENTITIES)}`];
        const value = random.below(1_000_000);
        this.counted[type] = (this.counted[type] ?? 0) + 1;
        this.values.set(entity, value);
        return { type, entity, payload: `{"v":${value}}` };
      });
      this.core.append('acme', events);
    }
  }

  async start(): Promise<void> {
    this.query = await QueryProcess.start({
      ALLSOURCE_DATA_DIR: this.folder,
      CORE_URL: this.core.url,
      ALLSOURCE_INTERNAL_TOKEN: INTERNAL_TOKEN,
    });
    while ((await fetch(`${this.query.url}/readyz`)).status !== 200) await sleep(10);
  }

  async ask(path: string, body?: object): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const response = await fetch(
      `${this.query?.url}/api/v1${path}`,
      body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
    );
    if (response.status !== 200) throw new TypeError(`${path}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }

  async counters(): Promise<Counters> {
    const { states } = await this.ask('/projections/event_counters/state');
    const rows = states as { entity_id: string; state: { count: number } }[];
    return Object.fromEntries(rows.map(({ entity_id, state }) => [entity_id, state.count]));
  }

  /** How many entities have the value of their last event, and how many another. */
  async snapshots(): Promise<{ right: number; wrong: number }> {
    const { states } = await this.ask('/projections/entity_snapshots/state?limit=10000');
    const rows = states as { entity_id: string; state: { v: number } }[];
    const right = rows.filter(({ entity_id, state }) => state.v === this.values.get(entity_id));
    return { right: right.length, wrong: this.values.size - right.length };
  }

  /** Waits until a replay is somewhere between its beginning and a moment after its end. */
  async reachSomewhere(random: SeededRandom, id: string): Promise<void> {
    const wanted = random.below(130);
    if (wanted < 30) this.core.feedLimit = random.below(this.core.log.head);
    else {
      for (;;) {
        const { status, progress_percentage } = await this.ask(`/replay/${id}`);
        const isThere = wanted < 100 && Number(progress_percentage) >= wanted;
        if (status === 'completed' || isThere) break;
        await sleep(2);
      }
    }
    await sleep(random.below(60));
  }

  /** Makes every stored state wrong. */
  spoil(): void {
    const database = new Database(join(this.folder, 'query', 'projections.sqlite'));
    database.pragma('busy_timeout = 5000');
    const wrong = database.transaction(() => {
      database.exec(`UPDATE states SET state = '{"count":-1}' WHERE projection = 2`);
      database.exec(`UPDATE states SET state = '{"v":-1}' WHERE projection = 1`);
    });
    wrong.immediate();
    database.close();
  }
}

async function newWorld(): Promise<World> {
  const world = new World();
  await world.core.listen();
  world.core.addKey(KEY, { tenant: 'acme', role: 'developer' });
  cleanups.add(async () => {
    await world.query?.kill();
    await world.core.close();
    rmSync(world.folder, { recursive: true, force: true });
  });
  return world;
}

describe('a query service that is killed while it replays', () => {
  it(
    `shows the old states or the new ones, whole, and ends with the new ones (${KILLS} kills)`,
    async () => {
      const seed = propertySeed('replay-kills');
      const random = new SeededRandom(seed);
      const world = await newWorld();
      world.append(random, 60);
      await world.start();
      await world.counters();
      world.spoil();
      const begin = async () => {
        const parallel = random.below(2) === 0;
        const { replay_id } = await world.ask('/replay', { config: { parallel, workers: 2 } });
        return String(replay_id);
      };
      let id = await begin();
      let [olds, news] = [0, 0];
      for (let kill = 0; kill < KILLS; kill++) {
        await world.reachSomewhere(random, id);
        await world.query?.kill();
        world.core.release();
        await world.start();
        const { status } = await world.ask(`/replay/${id}`);
        const counters = await world.counters();
        const { right, wrong } = await world.snapshots();
        const isNew = counters['t0'] === world.counted['t0'];
        // Both projections are switched in one transaction, each as a whole.
        expect(counters).toEqual(isNew ? world.counted : { t0: -1, t1: -1, t2: -1 });
        expect(isNew ? wrong : right).toBe(0);
        expect(isNew || status !== 'completed').toBe(true);
        if (isNew) news++;
        else olds++;
        if (status !== 'completed') continue;
        world.append(random, 1);
        await world.counters();
        world.spoil();
        id = await begin();
      }
      while ((await world.ask(`/replay/${id}`))['status'] !== 'completed') await sleep(20);
      expect(await world.counters()).toEqual(world.counted);
      expect((await world.snapshots()).wrong).toBe(0);
      process.stdout.write(`replay-kills: ${olds} times the old states, ${news} times the new\n`);
      // What was built is removed when a replay has ended, and rows that nobody reads go in the background.
      const shadows = join(world.folder, 'query', 'replays');
      while (readdirSync(shadows).length > 0 || leftOver(world) > 0) await sleep(20);
    },
    TIMEOUT_MS,
  );
});

function leftOver({ folder }: World): number {
  const database = new Database(join(folder, 'query', 'projections.sqlite'), { readonly: true });
  const row = database
    .prepare<[], { readonly left: number }>(
      `SELECT count(DISTINCT generation) - 1 +
         (SELECT count(*) FROM generations WHERE status <> 'live') AS left FROM states`,
    )
    .get();
  database.close();
  return row?.left ?? 0;
}
