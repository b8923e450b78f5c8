import { SeededRandom } from '@allsource/testkit';
import { afterEach, expect, it, jest } from '@jest/globals';
import { propertySeed } from '../../support/random.ts';
import type { WrittenEvent } from '../log-writer.ts';
import { eventsOf, LIST_ALL, LIST_UNLESS_BAD, listModel, scripted } from './event-model.ts';
import { RuntimeWorld, TENANT, until } from './runtime-world.ts';

jest.setTimeout(300_000);

const STEPS = 60;
const NAMES = ['serial', 'parallel', 'skipping'] as const;

let world: RuntimeWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

/** Random events, commands, kills of the processes and restarts of the runtime. */
class Chaos {
  readonly #at: RuntimeWorld;
  readonly #random: SeededRandom;
  readonly #builds = new Map<string, number>();
  #numbered = 0;

  constructor(at: RuntimeWorld, random: SeededRandom) {
    this.#at = at;
    this.#random = random;
  }

  define(): void {
    const { config } = this.#at.definition('any');
    const [serial, parallel, skipping] = NAMES;
    this.#at.define(serial, { ...scripted(LIST_UNLESS_BAD), config: { ...config, batch_size: 3 } });
    this.#at.define(parallel, {
      ...scripted(LIST_ALL),
      config: { ...config, parallel_processing: true, max_concurrency: 2, checkpoint_interval: 7 },
    });
    this.#at.define(skipping, {
      ...scripted(LIST_UNLESS_BAD),
      config: { ...config, enable_checkpoints: false },
      on_fault: { policy: 'skip', retries: 1 },
    });
  }

  async step(): Promise<void> {
    const what = this.#random.below(100);
    if (what < 55) this.append();
    else if (what < 70) this.#command();
    else if (what < 78) this.#change();
    else if (what < 86) this.#kill();
    else if (what < 90) await this.#at.restart();
    else await new Promise((resolve) => setTimeout(resolve, this.#random.below(40)));
  }

  /** Appends commits; some events of some entities are bad. */
  append(): void {
    for (let commits = this.#random.below(6); commits >= 0; commits--) {
      const tenant = this.#random.below(6) === 0 ? 'other' : TENANT;
      const events = Array.from({ length: 1 + this.#random.below(12) }, () => this.#event());
      this.#at.core.append(tenant, events);
    }
  }

  #event(): WrittenEvent {
    const entity = this.#random.below(40);
    const bad = entity < 3 && this.#random.below(8) === 0;
    return {
      type: 't',
      entity: `e-${entity}`,
      payload: JSON.stringify({ n: ++this.#numbered, bad }),
    };
  }

  #name(): string {
    return NAMES[this.#random.below(NAMES.length)] ?? NAMES[0];
  }

  #command(): void {
    const wanted = (['running', 'running', 'paused', 'stopped'] as const)[this.#random.below(4)];
    this.#at.define(this.#name(), { wanted: wanted ?? 'running' });
  }

  /** A rebuild, or another number of workers. */
  #change(): void {
    const name = this.#name();
    if (name === 'parallel' && this.#random.below(2) === 0) {
      const { config } = this.#at.definition(name);
      this.#at.define(name, { config: { ...config, max_concurrency: 1 + this.#random.below(3) } });
      return;
    }
    const build = (this.#builds.get(name) ?? 1) + 1;
    this.#builds.set(name, build);
    this.#at.define(name, { build });
  }

  #kill(): void {
    const pids = this.#at.runs.hostPids;
    const pid = pids[this.#random.below(pids.length)];
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
}

/** What is folded where bad events park their entity: those before the first bad one. */
function beforeBad(at: RuntimeWorld) {
  const parked = new Set<string>();
  return eventsOf(at.core, TENANT).filter(({ entity, payload }) => {
    if (payload['bad'] === true) parked.add(entity);
    return !parked.has(entity);
  });
}

it('comes to the same as a fold in memory, whatever is commanded and killed', async () => {
  const seed = propertySeed('runtime of projections');
  const at = await RuntimeWorld.open({ hasProcesses: true });
  world = at;
  const chaos = new Chaos(at, new SeededRandom(seed));
  chaos.append();
  chaos.define();
  for (let step = 0; step < STEPS; step++) await chaos.step();
  for (const name of NAMES) {
    at.define(name, { wanted: 'running' });
    await at.caughtUp(name);
    await until(`${name} reads its newest build`, () => at.state(name).status === 'running');
    await at.caughtUp(name);
  }
  const all = eventsOf(at.core, TENANT);
  const good = all.filter(({ payload }) => payload['bad'] !== true);
  const folded = listModel(beforeBad(at));
  expect(at.states('parallel')).toEqual(listModel(all));
  expect(at.states('skipping')).toEqual(listModel(good));
  expect(at.state('skipping').stats.skipped_count).toBe(all.length - good.length);
  expect(at.states('serial')).toEqual(folded);
  // Nothing of a parked entity is lost: what waits is everything from its bad event on.
  expect(at.state('serial').parked_events).toBe(all.length - beforeBad(at).length);
  expect(at.state('serial').stats.events_processed).toBe(all.length);
  // After a fix all of it is folded, in order.
  const build = at.definition('serial').build + 1;
  at.define('serial', { ...scripted(LIST_ALL), build });
  await until('the mended build is read', () => at.state('serial').live_build === build);
  await at.caughtUp('serial');
  expect(at.states('serial')).toEqual(listModel(all));
});
