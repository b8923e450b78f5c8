/** Clients of the peers, each the usual Node client of that system, doing the work that an append is. */
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import Database from 'better-sqlite3';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { type BenchEvent, benchEvent, eventJson } from '../event.ts';
import type { LoopClient } from './closed-loop.ts';
import type { AppendJob } from './job.ts';

const ENTITIES = 1000;

/** A client that appends `eventsPerCall` events a call to a peer. */
export async function peerAppender(job: AppendJob, index: number): Promise<LoopClient> {
  const events = eventSource(job, index);
  switch (job.target.client) {
    case 'postgres':
      return await postgresAppender(job, events);
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
const INSERT = `INSERT INTO ${COLUMNS} VALUES ($1, $2, $3, $4) RETURNING position`;
const INSERT_MANY = `INSERT INTO ${COLUMNS} SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::jsonb[]) RETURNING position`;

async function postgresAppender(job: AppendJob, events: () => BenchEvent[]): Promise<LoopClient> {
  const client = new Client({ connectionString: job.target.url });
  await client.connect();
  const isSingle = job.eventsPerCall === 1;
  return {
    async call() {
      const rows = events();
      const columns = [
        rows.map(({ type }) => type),
        rows.map(({ entity }) => entity),
        rows.map(({ payload }) => payload),
        rows.map(({ metadata }) => metadata),
      ];
      if (isSingle) {
        const values = columns.map(([value]) => value);
        await client.query({ name: 'one', text: INSERT, values });
      } else await client.query({ name: 'many', text: INSERT_MANY, values: columns });
      return 0;
    },
    close: () => client.end(),
  };
}

async function redisAppender(job: AppendJob, events: () => BenchEvent[]): Promise<LoopClient> {
  const client = new Redis(job.target.url, { lazyConnect: true });
  await client.connect();
  return {
    async call() {
      const pipeline = client.pipeline();
      for (const event of events()) pipeline.xadd('events', '*', 'event', eventJson(event));
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
      return 0;
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
      return 0;
    },
    close: () => connection.close(),
  };
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
      return Promise.resolve(0);
    },
    close() {
      database.close();
      return Promise.resolve();
    },
  };
}
