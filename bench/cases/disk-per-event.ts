/** P17: what an event takes on the disk, in core, in PostgreSQL as a row with two indexes, and as a line of JSON. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { requireSuccess } from '../load/http-clients.ts';
import { HttpConnection, requestBytes } from '../load/http-connection.ts';
import { type Bench, type Measurement, measurementOf } from '../measurement.ts';
import { API_KEY, RunningCore } from '../subjects/core.ts';
import { findPostgres, onDatabase } from '../subjects/postgres-server.ts';
import { EVENTS_TABLE } from '../subjects/postgres-stores.ts';
import { sleep } from '../subjects/server-process.ts';
import { type LoggedEvent, loggedEvents } from './logged-events.ts';

/** Enough for segments that are sealed. */
const EVENTS_MAX_QUICK = 15_000;
const BATCH_EVENTS = 1000;
/** Small, so that little of the log is in the segment that is still open. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
const SETTLE_POLL_MS = 100;
const SETTLED_MS = 1000;
const SETTLE_TIMEOUT_MS = 60_000;
const CHUNK_BYTES = 1024 * 1024;

export async function runDiskPerEvent(bench: Bench): Promise<Measurement[]> {
  const { isQuick, measuresPeers, logsFolder } = bench.options;
  const eventsMax = isQuick ? EVENTS_MAX_QUICK : Number.POSITIVE_INFINITY;
  const { source, events } = loggedEvents(eventsMax, logsFolder);
  const title = `disk per event, ${events.length.toLocaleString('en')} events (${source})`;
  bench.announce(`P17 ${title}`);
  const measure = async (subject: string, bytes: () => Promise<number>): Promise<Measurement> => {
    const measurement = measurementOf({ caseName: 'P17', title, unit: 'bytes/event', subject });
    await bench.add(measurement, async () => {
      const value = (await bytes()) / events.length;
      return { value, latency: null };
    });
    return measurement;
  };
  const measurements = [await measure('AllSource core', () => bytesInCore(bench, events))];
  const postgres = findPostgres();
  if (measuresPeers && !('missing' in postgres)) {
    const bytes = async () => {
      const url = await postgres.database('disk', bench.freshFolder('disk-postgres'));
      try {
        return await bytesInPostgres(url, events);
      } finally {
        await postgres.release();
      }
    };
    measurements.push(await measure('PostgreSQL', bytes));
  }
  const lineBytes = events.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0);
  measurements.push(await measure('lines of JSON', () => Promise.resolve(lineBytes)));
  return measurements;
}

/** Appends the events; when the folder has come to rest (sealing goes on in the background), counts what is in its files. */
async function bytesInCore(bench: Bench, events: readonly LoggedEvent[]): Promise<number> {
  const environment = { ALLSOURCE_SEGMENT_BYTES: String(SEGMENT_BYTES) };
  const core = await RunningCore.start(bench.freshFolder('disk'), { environment });
  try {
    const connection = await HttpConnection.open(core.url);
    for (let from = 0; from < events.length; from += BATCH_EVENTS) {
      const lines = events.slice(from, from + BATCH_EVENTS).map(({ line }) => line);
      const body = `{"events":[${lines.join(',')}]}`;
      const path = '/api/v1/events/batch';
      const request = requestBytes({ method: 'POST', path, apiKey: API_KEY, body });
      requireSuccess(await connection.send(request));
    }
    connection.close();
    return await bytesAtRest(core.storedFolder);
  } finally {
    await core.stop();
  }
}

async function bytesAtRest(folder: string): Promise<number> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  let bytes = bytesUsed(folder);
  let since = performance.now();
  while (performance.now() - since < SETTLED_MS && performance.now() < deadline) {
    await sleep(SETTLE_POLL_MS);
    const next = bytesUsed(folder);
    if (next !== bytes) since = performance.now();
    bytes = next;
  }
  return bytes;
}

/** The bytes of all files below a folder, without the zeros at their ends: those are room for what comes. */
export function bytesUsed(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + usedLength(join(parentPath, name)), 0);
}

function usedLength(path: string): number {
  // Sealing may take a file away at any moment.
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return 0;
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let end = size; end > 0; end -= CHUNK_BYTES) {
      const start = Math.max(0, end - CHUNK_BYTES);
      const length = readSync(file, chunk, 0, end - start, start);
      for (let at = length - 1; at >= 0; at -= 1) if (chunk[at] !== 0) return start + at + 1;
    }
    return 0;
  } finally {
    closeSync(file);
  }
}

const INSERT = `INSERT INTO events (event_type, entity_id, payload, recorded_at)
  SELECT * FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[])`;

async function bytesInPostgres(url: string, events: readonly LoggedEvent[]): Promise<number> {
  return await onDatabase(url, async (client) => {
    await client.query(EVENTS_TABLE);
    for (let from = 0; from < events.length; from += BATCH_EVENTS) {
      const batch = events.slice(from, from + BATCH_EVENTS);
      const columns = (['type', 'entity', 'payload', 'timestamp'] as const).map((column) =>
        batch.map((event) => event[column]),
      );
      await client.query(INSERT, columns);
    }
    const total = "SELECT pg_total_relation_size('events')::int AS bytes";
    const { rows } = await client.query<{ bytes: number }>(total);
    return rows[0]?.bytes ?? Number.NaN;
  });
}
