/**
 * A projection worker is killed with SIGKILL again and again, in its replay, while it follows live, and in the middle of its saves, while events are appended. After
 * each kill the state saved in core is the fold of exactly the events up to its position, and in the end of all of them: none lost, none twice.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CoreClient, coreCheckpoints } from '@allsource/client';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { REPOSITORY } from '../support/running-store.ts';
import { numbersIn, WORKER } from '../support/worker-state.ts';

const KILLS = isLong ? 100 : 4;
/** Each kill costs the start of a process. */
const KILL_MS_MAX = 60_000;
const PROGRAM = join(REPOSITORY, 'tests/support/worker-program.ts');
const core = new CoreProcess();
let client: CoreClient;
let apiKey: string;

beforeAll(async () => {
  await core.start();
  apiKey = core.credentials['authorization']?.replace('Bearer ', '') ?? '';
  client = new CoreClient({ url: core.url, apiKey });
});
afterAll(() => core.remove());

class WorkerProcess {
  readonly #child: ChildProcess;
  output = '';

  constructor(last: number) {
    this.#child = spawn(process.execPath, [PROGRAM, core.url, apiKey, String(last)], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
  }

  /** The number of events that it has said to have applied, those of its start included. */
  get applied(): number {
    return Number(/(\d+)\n$/.exec(this.output)?.[1] ?? 0);
  }

  async until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      if (this.#child.exitCode !== null) throw new TypeError(`the worker ended:\n${this.output}`);
      await pause(1);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

it(
  'a worker killed many times has each event in its saved state once, at every moment and in the end',
  async () => {
    const random = new SeededRandom(seed);
    const counts = { kills: 0, events: 0, liveKills: 0, appliedAgain: 0 };
    const append = async () => {
      const count = 1 + random.below(7);
      const events = Array.from({ length: count }, (_, i) => ({
        eventType: 'number.counted',
        entityId: `entity-${(counts.events + i) % 11}`,
        payload: { n: counts.events + i },
      }));
      await client.ingestBatch(events);
      counts.events += count;
    };
    let saved = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      for (let i = 0; i < 5; i += 1) await append();
      const worker = new WorkerProcess(Number.MAX_SAFE_INTEGER);
      const isLive = random.below(3) > 0;
      await worker.until(() => worker.applied > saved);
      if (isLive) {
        // Appends of which it hears live; some of them before it has saved what it replayed.
        for (let i = random.below(12); i >= 0; i -= 1) await append();
        const wanted = counts.events - random.below(8);
        await worker.until(() => worker.applied >= wanted);
        counts.liveKills += 1;
      }
      await pause(random.below(25));
      await worker.kill();
      counts.kills += 1;
      const checkpoint = await coreCheckpoints(client).load(WORKER);
      const numbers = checkpoint === null ? [] : numbersIn(checkpoint.state);
      expect(numbers).toEqual(upTo(numbers.length));
      expect(numbers.length).toBeGreaterThanOrEqual(saved);
      expect(await client.loadCheckpoint(WORKER)).toBeLessThanOrEqual(checkpoint?.position ?? 0);
      counts.appliedAgain += worker.applied - numbers.length;
      saved = numbers.length;
    }
    const last = new WorkerProcess(counts.events);
    expect([await last.ended(), last.output.includes(`began behind ${saved}\n`)]).toEqual([
      0,
      true,
    ]);
    const checkpoint = await coreCheckpoints(client).load(WORKER);
    expect(numbersIn(checkpoint?.state)).toEqual(upTo(counts.events));
    expect(await client.loadCheckpoint(WORKER)).toBe(checkpoint?.position);
    report('projection worker killed', counts);
  },
  KILLS * KILL_MS_MAX,
);
