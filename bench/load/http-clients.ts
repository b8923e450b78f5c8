/** Clients of AllSource and of the probe, which speak the same HTTP. Requests are made before the loop, so that the loop only sends. */
import { benchEvent, eventJson } from '../event.ts';
import type { ConditionalAppender } from './backoff.ts';
import type { LoopClient } from './closed-loop.ts';
import { type HttpAnswer, HttpConnection, requestBytes } from './http-connection.ts';
import type {
  AppendJob,
  FillJob,
  HotEntityJob,
  PacedReadJob,
  PointReadJob,
  ReadJob,
  Target,
} from './job.ts';

/** Entities of single appends; a batch has an entity for each of its events. */
const ENTITIES = 1000;
const BATCH_BODIES = 8;
const FILL_BATCH_EVENTS = 1000;

/** A client that appends `eventsPerCall` events a call. */
export async function httpAppender(job: AppendJob, index: number): Promise<LoopClient> {
  const connection = await HttpConnection.open(job.target.url);
  const requests = job.eventsPerCall === 1 ? singleRequests(job) : batchRequests(job);
  let next = index;
  return {
    async call() {
      requireSuccess(await connection.send(requests[next++ % requests.length] as Buffer));
    },
    close: () => Promise.resolve(connection.close()),
  };
}

/** Appends to one entity with an expected version; a conflict's answer names the version. */
export async function httpConditional(
  job: HotEntityJob,
  entity: string,
): Promise<ConditionalAppender> {
  const connection = await HttpConnection.open(job.target.url);
  const event = benchEvent({ entity, bytes: job.eventBytes });
  return {
    async appendAt(version) {
      const body = eventJson(event, version);
      const answer = await connection.send(append(job.target, '/api/v1/events', body));
      const isAppended = answer.status !== 409;
      if (isAppended) requireSuccess(answer);
      return { isAppended, version: versionIn(answer) };
    },
    close: () => Promise.resolve(connection.close()),
  };
}

/** A client that reads entities. The first answer is checked to hold all events that were asked for. */
export function entityReader(job: ReadJob, index: number): Promise<LoopClient> {
  const pathOf = (read: number) =>
    `/api/v1/events/query?entity_id=${entityOfRead(job, read)}&limit=${job.eventsPerEntity}`;
  return reader(job.target, {
    index,
    paths: pathsOf(job.entities, pathOf),
    events: job.eventsPerEntity,
  });
}

/** The entity that a read is of. */
export function entityOfRead(job: ReadJob, read: number): string {
  return `${job.entityPrefix}-${(read * job.entityStride) % job.entities}`;
}

/** A client that reads the newest event of entities. */
export function newestReader(job: PointReadJob, index: number): Promise<LoopClient> {
  return reader(job.target, { index, paths: pathsOf(job.entities, newestPath), events: 1 });
}

function newestPath(entity: number): string {
  return `/api/v1/events/query?entity_id=read-${entity}&order=desc&limit=1`;
}

/** A client that reads one path after the other. */
export function pathReader({ target, paths }: PacedReadJob, index: number): Promise<LoopClient> {
  return reader(target, { index, paths, events: null });
}

function pathsOf(count: number, pathOf: (entity: number) => string): string[] {
  return Array.from({ length: count }, (_, entity) => pathOf(entity));
}

interface Reads {
  /** The number of the client: each begins with another path. */
  readonly index: number;
  readonly paths: readonly string[];
  /** What the answer to the first path is checked to hold; null: nothing is checked. */
  readonly events: number | null;
}

async function reader(target: Target, { index, paths, events }: Reads): Promise<LoopClient> {
  const connection = await HttpConnection.open(target.url);
  const requests = paths.map((path) =>
    requestBytes({ method: 'GET', path, apiKey: target.apiKey }),
  );
  if (events !== null) requireEvents(await connection.send(requests[0] as Buffer), events);
  let next = index;
  return {
    async call() {
      requireSuccess(await connection.send(requests[next++ % requests.length] as Buffer));
    },
    close: () => Promise.resolve(connection.close()),
  };
}

/** Appends the events of a fill job; returns when the last one is acknowledged. */
export async function fill(job: FillJob): Promise<void> {
  let nextEvent = 0;
  const run = async (): Promise<void> => {
    const connection = await HttpConnection.open(job.target.url);
    while (nextEvent < job.events) {
      const count = Math.min(FILL_BATCH_EVENTS, job.events - nextEvent);
      const from = nextEvent;
      nextEvent += count;
      const events = Array.from({ length: count }, (_, offset) =>
        jsonOf(`${job.entityPrefix}-${(from + offset) % job.entities}`, job.eventBytes),
      );
      requireSuccess(await connection.send(appendBatch(job.target, events)));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: job.clients }, run));
}

/** Throws with the server's own words unless the answer is a success. */
export function requireSuccess(answer: HttpAnswer): void {
  if (answer.status >= 200 && answer.status < 300) return;
  throw new Error(`The server answered ${answer.status}: ${answer.body.toString().slice(0, 500)}`);
}

/** The bytes of an append of one event. */
export function append(target: Target, path: string, body: string): Buffer {
  return requestBytes({ method: 'POST', path, apiKey: target.apiKey, body });
}

function appendBatch(target: Target, events: readonly string[]): Buffer {
  return append(target, '/api/v1/events/batch', `{"events":[${events.join(',')}]}`);
}

function singleRequests({ target, eventBytes }: AppendJob): Buffer[] {
  return Array.from({ length: ENTITIES }, (_, entity) =>
    append(target, '/api/v1/events', jsonOf(`order-${entity}`, eventBytes)),
  );
}

function batchRequests({ target, eventsPerCall, eventBytes }: AppendJob): Buffer[] {
  return Array.from({ length: BATCH_BODIES }, (_, body) => {
    const events = Array.from({ length: eventsPerCall }, (__, entity) =>
      jsonOf(`order-${body}-${entity}`, eventBytes),
    );
    return appendBatch(target, events);
  });
}

function jsonOf(entity: string, bytes: number): string {
  return eventJson(benchEvent({ entity, bytes }));
}

function versionIn(answer: HttpAnswer): number {
  return Number(/"(?:current_)?version":(\d+)/.exec(answer.body.toString('latin1'))?.[1]);
}

function requireEvents(answer: HttpAnswer, expected: number): void {
  requireSuccess(answer);
  const events = answer.body.toString().split('"event_type"').length - 1;
  if (events !== expected) throw new Error(`A read gave ${events} events instead of ${expected}.`);
}
