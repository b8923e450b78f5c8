/**
 * Clients of the three event stores on PostgreSQL: a plain table, functions in the manner of message-db, and emmett. Each appends in the way that is
 * usual for it, one connection a client.
 */
import { type Event, STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import type { PostgresEventStore } from '@event-driven-io/emmett-postgresql';
import { Client, DatabaseError } from 'pg';
import { type BenchEvent, benchEvent } from '../event.ts';
import type { ConditionalAppender } from './backoff.ts';
import type { LoopClient } from './closed-loop.ts';
import { entityOfRead } from './http-clients.ts';
import type { AppendJob, FillJob, HotEntityJob, PointReadJob, ReadJob, Target } from './job.ts';

const FILL_BATCH_EVENTS = 1000;
const COLUMNS = 'events (event_type, entity_id, payload, metadata)';
const INSERT = `INSERT INTO ${COLUMNS} VALUES ($1, $2, $3, $4) RETURNING position`;
const INSERT_MANY = `INSERT INTO ${COLUMNS} SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::jsonb[]) RETURNING position`;

/** Appends to the plain table: a prepared insert, or one with unnest for a batch. */
export async function postgresAppender(
  job: AppendJob,
  events: () => BenchEvent[],
): Promise<LoopClient> {
  const client = await connected(job.target);
  const isSingle = job.eventsPerCall === 1;
  return {
    async call() {
      const columns = columnsOf(events());
      if (isSingle) {
        const values = columns.map(([value]) => value);
        await client.query({ name: 'one', text: INSERT, values });
      } else await client.query({ name: 'many', text: INSERT_MANY, values: columns });
    },
    close: () => client.end(),
  };
}

/** Fills the plain table; returns when all is committed. */
export async function fillPostgres(job: FillJob): Promise<void> {
  const client = await connected(job.target);
  for (let from = 0; from < job.events; from += FILL_BATCH_EVENTS) {
    const count = Math.min(FILL_BATCH_EVENTS, job.events - from);
    const batch = Array.from({ length: count }, (_, offset) =>
      benchEvent({
        entity: `${job.entityPrefix}-${(from + offset) % job.entities}`,
        bytes: job.eventBytes,
      }),
    );
    await client.query({ name: 'many', text: INSERT_MANY, values: columnsOf(batch) });
  }
  await client.query('ANALYZE events');
  await client.end();
}

const READ_COLUMNS = 'position, event_type, entity_id, payload, metadata, recorded_at';
const READ_STREAM = `SELECT ${READ_COLUMNS} FROM events WHERE entity_id = $1 ORDER BY position LIMIT $2`;
const READ_NEWEST = `SELECT ${READ_COLUMNS} FROM events WHERE entity_id = $1 ORDER BY position DESC LIMIT 1`;
/** Values stay the text that the server sent: the HTTP client parses nothing either. */
const AS_TEXT = { getTypeParser: () => String };

/** A client that reads whole entities with a prepared statement. */
export async function postgresEntityReader(job: ReadJob, index: number): Promise<LoopClient> {
  return await postgresReader(job, index, {
    name: 'stream',
    text: READ_STREAM,
    more: [job.eventsPerEntity],
    rows: job.eventsPerEntity,
    entityOf: (read) => entityOfRead(job, read),
  });
}

/** A client that reads the newest event of entities with a prepared statement. */
export async function postgresNewestReader(job: PointReadJob, index: number): Promise<LoopClient> {
  const entityOf = (read: number) => `read-${read % job.entities}`;
  return await postgresReader(job, index, {
    name: 'newest',
    text: READ_NEWEST,
    more: [],
    rows: 1,
    entityOf,
  });
}

// oxlint-disable-next-line eslint/max-params -- which job, which client of many, and its statement.
async function postgresReader(
  job: ReadJob | PointReadJob,
  index: number,
  statement: {
    readonly name: string;
    readonly text: string;
    readonly more: readonly number[];
    readonly rows: number;
    readonly entityOf: (read: number) => string;
  },
): Promise<LoopClient> {
  const client = await connected(job.target);
  const { name, text, more, rows, entityOf } = statement;
  let next = index;
  return {
    async call() {
      const values = [entityOf(next++), ...more];
      const { rowCount } = await client.query({
        name,
        text,
        values,
        rowMode: 'array',
        types: AS_TEXT,
      });
      if (rowCount !== rows) throw new Error(`A read gave ${rowCount} events instead of ${rows}.`);
    },
    close: () => client.end(),
  };
}

const INSERT_AT = `INSERT INTO versioned_events (entity_id, version, event_type, payload, metadata) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (entity_id, version) DO NOTHING`;
const VERSION = 'SELECT max(version)::int AS version FROM versioned_events WHERE entity_id = $1';

/** Appends to a table with a unique (entity, version); after a conflict it reads the version. */
export async function postgresConditional(
  job: HotEntityJob,
  entity: string,
): Promise<ConditionalAppender> {
  const client = await connected(job.target);
  const { type, payload, metadata } = benchEvent({ entity, bytes: job.eventBytes });
  return {
    async appendAt(version) {
      const values = [entity, version + 1, type, payload, metadata];
      const { rowCount } = await client.query({ name: 'at', text: INSERT_AT, values });
      if (rowCount === 1) return { isAppended: true, version: version + 1 };
      const { rows } = await client.query({ name: 'version', text: VERSION, values: [entity] });
      return { isAppended: false, version: (rows as { version: number }[])[0]?.version ?? 0 };
    },
    close: () => client.end(),
  };
}

const WRITE = 'SELECT write_message($1, $2, $3::jsonb, $4::jsonb, $5)';
const WRITE_MANY =
  'SELECT write_message(stream, type, data, metadata) FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::jsonb[]) AS m (type, stream, data, metadata)';

/** What one client of many appends: who it is, and the events of its next call. */
export interface ClientEvents {
  readonly index: number;
  readonly events: () => BenchEvent[];
}

/** Calls write_message; a batch is one statement. Each client has a category of its own, so no client waits for another's category lock. */
export async function messageDbAppender(
  job: AppendJob,
  { index, events }: ClientEvents,
): Promise<LoopClient> {
  const client = await connected(job.target);
  return {
    async call() {
      const batch = events().map((event) => ({ ...event, entity: ownStream(event, index) }));
      const [types, streams, payloads, metadatas] = columnsOf(batch);
      if (batch.length > 1) {
        const values = [types, streams, payloads, metadatas];
        await client.query({ name: 'write-many', text: WRITE_MANY, values });
      } else {
        const values = [streams?.[0], types?.[0], payloads?.[0], metadatas?.[0], null];
        await client.query({ name: 'write', text: WRITE, values });
      }
    },
    close: () => client.end(),
  };
}

/** Calls write_message with an expected version (which is the position of the last event: one less than their number). */
export async function messageDbConditional(
  job: HotEntityJob,
  stream: string,
): Promise<ConditionalAppender> {
  const client = await connected(job.target);
  const { type, payload, metadata } = benchEvent({ entity: stream, bytes: job.eventBytes });
  return {
    async appendAt(version) {
      const values = [stream, type, payload, metadata, version - 1];
      try {
        await client.query({ name: 'write', text: WRITE, values });
        return { isAppended: true, version: version + 1 };
      } catch (error) {
        const current =
          error instanceof DatabaseError ? /Stream Version: (-?\d+)/.exec(error.message) : null;
        if (current === null) throw error;
        return { isAppended: false, version: Number(current[1]) + 1 };
      }
    },
    close: () => client.end(),
  };
}

/**
 * Appends a batch to one stream, for that is what appendToStream takes. Each client has streams of its own: where two meet in a stream, emmett refuses
 * one of them, also when no version is expected.
 */
export async function emmettAppender(
  job: AppendJob,
  { index, events }: ClientEvents,
): Promise<LoopClient> {
  const { store, close } = await emmettStore(job.target);
  return {
    async call() {
      const batch = events();
      const stream = ownStream(batch[0] as BenchEvent, index);
      await store.appendToStream(stream, batch.map(emmettEvent));
    },
    close,
  };
}

function ownStream({ entity }: BenchEvent, index: number): string {
  return entity.replace('-', `${index}-`);
}

/** Appends with expectedStreamVersion. */
export async function emmettConditional(
  job: HotEntityJob,
  stream: string,
): Promise<ConditionalAppender> {
  const { isExpectedVersionConflictError } = await import('@event-driven-io/emmett');
  const { store, close } = await emmettStore(job.target);
  const event = emmettEvent(benchEvent({ entity: stream, bytes: job.eventBytes }));
  return {
    async appendAt(version) {
      const expectedStreamVersion = version === 0 ? STREAM_DOES_NOT_EXIST : BigInt(version);
      try {
        await store.appendToStream(stream, [event], { expectedStreamVersion });
        return { isAppended: true, version: version + 1 };
      } catch (error) {
        if (!isExpectedVersionConflictError(error)) throw error;
        // Its error does not name the version; what has come since is read, as its users do.
        const since = await store.readStream(stream, { from: BigInt(Math.max(version, 1)) });
        return { isAppended: false, version: Number(since.currentStreamVersion) };
      }
    },
    close,
  };
}

async function emmettStore(
  target: Target,
): Promise<{ store: PostgresEventStore; close: () => Promise<void> }> {
  // Loaded only when it is measured: it takes a while.
  const { getPostgreSQLEventStore } = await import('@event-driven-io/emmett-postgresql');
  const client = await connected(target);
  const store = getPostgreSQLEventStore(target.url, {
    schema: { autoMigration: 'None' },
    connectionOptions: { client },
  });
  const close = async () => {
    await store.close();
    await client.end();
  };
  return { store, close };
}

const emmettEvents = new Map<string, Event>();

/** The same events are sent again and again, so that the client does not spend its time on making them. */
function emmettEvent(event: BenchEvent): Event {
  const known = emmettEvents.get(event.payload);
  if (known !== undefined) return known;
  const { type, payload, metadata } = event;
  const made = { type, data: JSON.parse(payload), metadata: JSON.parse(metadata) } as Event;
  emmettEvents.set(payload, made);
  return made;
}

async function connected(target: Target): Promise<Client> {
  const client = new Client({ connectionString: target.url });
  await client.connect();
  return client;
}

function columnsOf(rows: readonly BenchEvent[]): string[][] {
  return [
    rows.map(({ type }) => type),
    rows.map(({ entity }) => entity),
    rows.map(({ payload }) => payload),
    rows.map(({ metadata }) => metadata),
  ];
}
