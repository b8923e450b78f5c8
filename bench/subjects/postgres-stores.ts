/** The event stores on PostgreSQL: the table that anybody would make, functions in the manner of message-db, and emmett. */
import { createRequire } from 'node:module';
import type { ClientKind } from '../load/job.ts';
import { findPostgres, onDatabase, type PostgresServer } from './postgres-server.ts';
import type { MissingSubject, Subject } from './subject.ts';

/** An append-only table with a primary key and an index by entity; beside it the same with versions. */
export const EVENTS_TABLE = `CREATE TABLE events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_type text NOT NULL, entity_id text NOT NULL,
  payload jsonb NOT NULL, metadata jsonb, recorded_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX events_by_entity ON events (entity_id, position)`;
const VERSIONED_TABLE = `CREATE TABLE versioned_events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entity_id text NOT NULL, version int NOT NULL,
  event_type text NOT NULL, payload jsonb NOT NULL, metadata jsonb, recorded_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (entity_id, version))`;

/**
 * What message-db does for a write, in our words: a lock for the category of the stream until the transaction ends, so that a category's readers
 * never see positions out of order; the stream's version, compared; the insert. It has message-db's three indexes.
 */
const MESSAGE_STORE = `
CREATE TABLE messages (
  global_position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
  stream_name text NOT NULL, position bigint NOT NULL, type text NOT NULL, data jsonb, metadata jsonb,
  time timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'));
CREATE FUNCTION category(stream_name text) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT split_part(stream_name, '-', 1) $$;
CREATE UNIQUE INDEX messages_id ON messages (id);
CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position);
CREATE INDEX messages_category ON messages (category(stream_name), global_position);
CREATE FUNCTION write_message(stream text, type text, data jsonb, metadata jsonb, expected bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  current bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(category(stream), 0));
  SELECT coalesce(max(position), -1) INTO current FROM messages WHERE stream_name = stream;
  IF expected <> current THEN
    RAISE EXCEPTION 'Wrong expected version: % (Stream: %, Stream Version: %)', expected, stream, current;
  END IF;
  INSERT INTO messages (stream_name, position, type, data, metadata)
    VALUES (stream, current + 1, write_message.type, write_message.data, write_message.metadata);
  RETURN current + 1;
END $$`;

/** All of them, or why they cannot be measured. */
export function postgresStores(): (Subject | MissingSubject)[] {
  const postgres = findPostgres();
  const stores = [
    { name: 'PostgreSQL', client: 'postgres', prepare: tables(EVENTS_TABLE, VERSIONED_TABLE) },
    { name: 'message-db functions', client: 'message-db', prepare: tables(MESSAGE_STORE) },
    { name: 'emmett-postgresql', client: 'emmett-postgresql', prepare: emmettSchema },
  ] as const;
  if ('missing' in postgres) return stores.map(({ name }) => ({ name, missing: postgres.missing }));
  return stores.map((store) => storeSubject(postgres, store));
}

function storeSubject(
  postgres: PostgresServer,
  store: {
    readonly name: string;
    readonly client: ClientKind;
    readonly prepare: (url: string) => Promise<unknown>;
  },
): Subject {
  const { name, client } = store;
  return {
    name,
    version: client === 'emmett-postgresql' ? `${emmettVersion()} on PostgreSQL` : postgres.version,
    ack: 'after fdatasync (synchronous_commit=on)',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    hasConditions: true,
    async start(folder) {
      const url = await postgres.database(`bench_${client.replaceAll('-', '_')}`, folder);
      await store.prepare(url);
      return { target: { client, url, apiKey: '' }, stop: () => postgres.release() };
    },
  };
}

function tables(...statements: string[]): (url: string) => Promise<unknown> {
  return (url) => onDatabase(url, (client) => client.query(statements.join(';')));
}

async function emmettSchema(url: string): Promise<void> {
  const { getPostgreSQLEventStore } = await import('@event-driven-io/emmett-postgresql');
  const store = getPostgreSQLEventStore(url);
  await store.schema.migrate();
  await store.close();
}

function emmettVersion(): string {
  const manifest = createRequire(import.meta.url)('./../package.json') as {
    devDependencies: Record<string, string>;
  };
  return manifest.devDependencies['@event-driven-io/emmett-postgresql'] ?? 'unknown';
}
