/**
 * NATS is the doorbell, the log is the truth: the whole store runs with a real NATS server that is stopped, comes back empty, and carries duplicates, old frames, shuffled frames
 * and garbage, while clients append and read. Every append is acknowledged, every read sees what was acknowledged before it, and in the end each
 * event is there once, in order, at the gateway and in a reader of our own.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createLogFollower, type FrameSink, type LogFollower } from '@allsource/service-kit/feed';
import { createLogger } from '@allsource/service-kit/observability';
import { type Position, position } from '@allsource/shared/model';
import { COMMITS_SUBJECT, encodeHeadNotice } from '@allsource/shared/protocol';
import { Cleanups, reportNotTested, SeededRandom } from '@allsource/testkit';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { findNats, type NatsServer, startNats } from '../support/nats-server.ts';
import { REPOSITORY, RunningStore } from '../support/running-store.ts';

const WORKERS = 4;
const WAIT_MS = 120_000;
const nats = findNats();
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** A client that appends to one entity, one event after the other, and reads back what it wrote. */
class Worker {
  readonly entity: string;
  readonly faults: string[] = [];
  acknowledged = 0;
  reads = 0;
  #isStopped = false;
  #running: Promise<void> | null = null;
  readonly #store: RunningStore;

  constructor(store: RunningStore, entity: string) {
    this.#store = store;
    this.entity = entity;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped && this.faults.length < 5) {
      await this.#append();
      if (this.acknowledged % 5 === 0) await this.#read();
    }
  }

  async #append(): Promise<void> {
    const n = this.acknowledged + 1;
    const { status, text } = await this.#store.post('/api/v1/events', {
      event_type: 'fault.survived',
      entity_id: this.entity,
      payload: { n },
    });
    if (status >= 200 && status < 300) this.acknowledged = n;
    else this.faults.push(`append ${n}: ${status} ${text}`);
  }

  async #read(): Promise<void> {
    const { status, body, text } = await this.#store.ask(
      `/api/v1/events/query?entity_id=${this.entity}&order=desc&limit=1`,
    );
    this.reads++;
    const seen: unknown = status === 200 ? body.events[0]?.payload?.n : text;
    if (seen !== this.acknowledged)
      this.faults.push(`read ${String(seen)}, not ${this.acknowledged}`);
  }
}

/** A reader of our own beside the query service: it must see each position once. */
class CountingSink implements FrameSink {
  appliedPosition: Position = position(0);
  logId: string | null = null;
  readonly faults: string[] = [];

  apply(frames: Parameters<FrameSink['apply']>[0], logId: string): void {
    for (const frame of frames) {
      if (frame.position !== this.appliedPosition + 1)
        this.faults.push(`frame ${frame.position} after ${this.appliedPosition}`);
      this.appliedPosition = frame.lastPosition;
    }
    this.logId = logId;
  }

  advance(): void {
    this.faults.push('advanced over something');
  }

  reset(): void {
    this.faults.push('emptied');
    this.appliedPosition = position(0);
    this.logId = null;
  }
}

function follow(store: RunningStore, natsUrl: string, sink: FrameSink): LogFollower {
  const follower = createLogFollower({
    coreUrl: store.coreUrl,
    internalToken: readFileSync(join(store.dataDir, 'internal-token'), 'utf8').trim(),
    sink,
    natsUrl,
    logger: createLogger('test', 'silent'),
  });
  cleanups.add(() => follower.close());
  follower.start();
  return follower;
}

interface Heard {
  readonly connection: NatsConnection;
  readonly frames: Buffer[];
  readonly eventSubjects: Set<string>;
}

async function listen(server: NatsServer): Promise<Heard> {
  const connection = await connect({ servers: server.url, reconnect: false });
  cleanups.add(() => connection.close());
  const frames: Buffer[] = [];
  const eventSubjects = new Set<string>();
  connection.subscribe(COMMITS_SUBJECT, {
    callback: (_error, message) => {
      frames.push(Buffer.from(message.data));
    },
  });
  connection.subscribe('allsource.events.>', {
    callback: (_error, message) => {
      eventSubjects.add(message.subject);
    },
  });
  await connection.flush();
  return { connection, frames, eventSubjects };
}

/** Publishes what was heard again: twice, shuffled, cut, and nonsense between. */
function disturb({ connection, frames }: Heard, random: SeededRandom): void {
  const old = frames.slice(-200);
  for (let i = 0; i < 400 && old.length > 0; i++) {
    const body = random.pick(old);
    connection.publish(COMMITS_SUBJECT, body);
    if (i % 10 === 0) connection.publish(COMMITS_SUBJECT, body.subarray(0, body.length / 2));
    if (i % 25 === 0) connection.publish(COMMITS_SUBJECT, Buffer.from('garbage'));
    if (i % 50 === 0)
      connection.publish(
        COMMITS_SUBJECT,
        encodeHeadNotice(position(9_999_999), Buffer.alloc(8, i)),
      );
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

function missing(): string | null {
  if (nats.kind === 'none') return nats.reason;
  const mains = ['core', 'query', 'control-plane'].map((name) => `services/${name}/src/main.ts`);
  const absent = mains.filter((path) => !existsSync(join(REPOSITORY, path)));
  return absent.length === 0 ? null : `${absent.join(', ')} does not exist.`;
}

const reason = missing();
if (reason !== null) reportNotTested('the store with NATS', reason);

(reason === null ? describe : describe.skip)('the store with NATS', () => {
  it('loses, repeats and reorders nothing while NATS stops, comes back empty and carries nonsense', async () => {
    if (nats.kind === 'none') throw new TypeError(nats.reason);
    const random = new SeededRandom(3);
    const server = await startNats(nats);
    cleanups.add(() => server.close());
    const store = await RunningStore.start({ NATS_URL: server.url, ALLSOURCE_NATS_EVENTS: 'true' });
    cleanups.add(() => store.remove());
    const sink = new CountingSink();
    const follower = follow(store, server.url, sink);
    let heard = await listen(server);
    const workers = Array.from({ length: WORKERS }, (_, i) => new Worker(store, `worker-${i}`));
    for (const worker of workers) worker.start();
    let frames = 0;
    for (let round = 0; round < 3; round++) {
      await pause(700);
      disturb(heard, random);
      await pause(700);
      frames += heard.frames.length;
      expect(heard.eventSubjects.size).toBeGreaterThan(0);
      await server.stop();
      await pause(1_500);
      await server.start();
      const old = heard.frames;
      heard = await listen(server);
      disturb({ ...heard, frames: old }, random);
    }
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(workers.flatMap((worker) => worker.faults)).toEqual([]);
    expect(frames).toBeGreaterThan(0);

    const total = workers.reduce((sum, worker) => sum + worker.acknowledged, 0);
    for (const worker of workers) {
      const { body } = await store.ask(
        `/api/v1/events/query?entity_id=${worker.entity}&limit=10000`,
      );
      expect(body.events.map((event: { payload: { n: number } }) => event.payload.n)).toEqual(
        Array.from({ length: worker.acknowledged }, (_, i) => i + 1),
      );
    }
    const { body: page } = await store.ask(
      '/api/v1/events/query?event_type=fault.survived&limit=1',
    );
    expect(page.total_count).toBe(total);
    expect(await follower.waitFor(await follower.coreHead(), WAIT_MS)).toBe(true);
    expect(sink.faults).toEqual([]);
    console.info(
      `${total} appends and ${workers.reduce((sum, w) => sum + w.reads, 0)} reads over 3 outages of NATS; ${frames} frames came over it`,
    );
  });
});
