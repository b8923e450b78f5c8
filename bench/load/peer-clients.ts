/** Clients of the peers, each the usual Node client of that system, doing the work that an append is. */
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import Database from 'better-sqlite3';
import { Redis } from 'ioredis';
import { type BenchEvent, benchEvent, eventJson } from '../event.ts';
import type { LoopClient } from './closed-loop.ts';
import type { AppendJob, FillJob } from './job.ts';
import { emmettAppender, messageDbAppender, postgresAppender } from './postgres-clients.ts';

const ENTITIES = 1000;

/** A client that appends `eventsPerCall` events a call to a peer. */
export async function peerAppender(job: AppendJob, index: number): Promise<LoopClient> {
  const events = eventSource(job, index);
  switch (job.target.client) {
    case 'postgres':
      return await postgresAppender(job, events);
    case 'message-db':
      return await messageDbAppender(job, { index, events });
    case 'emmett-postgresql':
      return await emmettAppender(job, { index, events });
    case 'redis':
      return await redisAppender(job, events);
    case 'nats':
      return await natsAppender(job, events);
    case 'sqlite':
      return sqliteAppender(job, events);
    case 'http':
      throw new Error('HTTP has clients of its own.');
  }
}

/** Gives the events of one call, over the same entities as the HTTP clients use. */
function eventSource(job: AppendJob, index: number): () => BenchEvent[] {
  const pool = Array.from({ length: ENTITIES }, (_, entity) =>
    benchEvent({ entity: `order-${entity}`, bytes: job.eventBytes }),
  );
  let next = index * job.eventsPerCall;
  return () =>
    Array.from({ length: job.eventsPerCall }, () => pool[next++ % ENTITIES] as BenchEvent);
}

const COLUMNS = 'events (event_type, entity_id, payload, metadata)';

/** Redis keeps all of a stream in memory. */
const REDIS_EVENTS_MAX = 1_000_000;

async function redisAppender(job: AppendJob, events: () => BenchEvent[]): Promise<LoopClient> {
  const client = new Redis(job.target.url, { lazyConnect: true });
  await client.connect();
  return {
    async call() {
      const pipeline = client.pipeline();
      for (const event of events())
        pipeline.xadd('events', 'MAXLEN', '~', REDIS_EVENTS_MAX, '*', 'event', eventJson(event));
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    },
    close: () => Promise.resolve(client.disconnect()),
  };
}

async function natsAppender(job: AppendJob, events: () => BenchEvent[]): Promise<LoopClient> {
  const connection = await connect({ servers: job.target.url });
  const stream = jetstream(connection);
  return {
    async call() {
      await Promise.all(
        events().map((event) => stream.publish(`events.${event.entity}`, eventJson(event))),
      );
    },
    close: () => connection.close(),
  };
}

const FILL_PUBLISHES = 1000;

/** Publishes the events of a fill job to JetStream; returns when the last one is acknowledged. */
export async function fillNats(job: FillJob): Promise<void> {
  const connection = await connect({ servers: job.target.url });
  const stream = jetstream(connection);
  for (let sent = 0; sent < job.events; sent += FILL_PUBLISHES) {
    const count = Math.min(FILL_PUBLISHES, job.events - sent);
    const publishes = Array.from({ length: count }, (_, offset) => {
      const entity = `${job.entityPrefix}-${(sent + offset) % job.entities}`;
      const event = benchEvent({ entity, bytes: job.eventBytes });
      return stream.publish(`events.${entity}`, eventJson(event));
    });
    await Promise.all(publishes);
  }
  await connection.close();
}

function sqliteAppender(job: AppendJob, events: () => BenchEvent[]): LoopClient {
  const database = new Database(job.target.url);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec(
    'CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, event_type TEXT, entity_id TEXT, payload TEXT, metadata TEXT); CREATE INDEX IF NOT EXISTS by_entity ON events (entity_id)',
  );
  const insert = database.prepare(`INSERT INTO ${COLUMNS} VALUES (?, ?, ?, ?)`);
  const insertAll = database.transaction((rows: BenchEvent[]) => {
    for (const { type, entity, payload, metadata } of rows)
      insert.run(type, entity, payload, metadata);
  });
  return {
    call() {
      insertAll(events());
      return Promise.resolve();
    },
    close() {
      database.close();
      return Promise.resolve();
    },
  };
}
