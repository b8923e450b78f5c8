/**
 * The Python SDK: paths without a version, nothing repeated, dictionaries read with `[]` (which fails) or `get` (which does not), and an error handler that
 * breaks when `error` is a text.
 */
import { type Members, membersOf, queryString, text } from './shape.ts';
import {
  parsedJson,
  SdkDecodeError,
  SdkHttpError,
  SdkTransport,
  type SdkTry,
} from './transport.ts';

export interface PythonClientOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
}

/** `AllSourceError`. */
export class PythonAllSourceError extends Error {
  override readonly name = 'PythonAllSourceError';
  readonly code: unknown;
  readonly statusCode: number;

  constructor(code: unknown, message: string, statusCode: number) {
    super(message);
    this.code = code;
    this.statusCode = statusCode;
  }
}

/** What Python raises when `.get` is called on something that is not a dictionary: no error of the SDK's own. */
export class PythonAttributeError extends Error {
  override readonly name = 'PythonAttributeError';
}

export interface PythonEvent {
  readonly id: string;
  readonly entityId: string;
  readonly eventType: string;
  readonly payload: unknown;
  readonly timestamp: string;
  readonly version: unknown;
}

export interface PythonEventList {
  readonly events: readonly PythonEvent[];
  readonly count: number;
}

export interface PythonQuery {
  readonly event_type?: string;
  readonly entity_id?: string;
  readonly start?: string;
  readonly end?: string;
  readonly limit?: number;
  readonly offset?: number;
}

export class PythonClient {
  readonly #transport: SdkTransport;

  constructor({ apiKey, baseUrl }: PythonClientOptions) {
    this.#transport = new SdkTransport({
      url: baseUrl,
      headers: { authorization: `Bearer ${apiKey}` },
      contentType: 'always',
      retriesMax: 0,
      repeats: () => false,
      failuresOf: () => 0,
      breakerThreshold: Number.POSITIVE_INFINITY,
    });
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  async ingest(eventType: string, entityId: string, data: Members): Promise<PythonEvent> {
    const body = { event_type: eventType, entity_id: entityId, payload: data };
    return pythonEvent(inData(await this.#request('POST', '/api/events', body)));
  }

  async ingestBatch(events: readonly Members[]): Promise<PythonEvent[]> {
    const items = inData(await this.#request('POST', '/api/events/batch', { events }));
    return Array.isArray(items) ? items.map(pythonEvent) : [];
  }

  async query(query: PythonQuery = {}): Promise<PythonEventList> {
    return pythonEventList(await this.#request('GET', `/api/events${queryString({ ...query })}`));
  }

  async eventsOfEntity(entityId: string): Promise<PythonEventList> {
    return pythonEventList(await this.#request('GET', `/api/events/entity/${entityId}`));
  }

  async eventsOfType(eventType: string): Promise<PythonEventList> {
    return pythonEventList(await this.#request('GET', `/api/events/type/${eventType}`));
  }

  async projections(): Promise<{ id: string; name: string }[]> {
    const items = inData(await this.#request('GET', '/api/projections'));
    return Array.isArray(items) ? items.map(pythonProjection) : [];
  }

  async projection(name: string): Promise<{ id: string; name: string }> {
    return pythonProjection(inData(await this.#request('GET', `/api/projections/${name}`)));
  }

  async createProjection(name: string, definition: string): Promise<{ id: string; name: string }> {
    const body = { name, definition, version: 1, initial_state: {} };
    return pythonProjection(inData(await this.#request('POST', '/api/projections', body)));
  }

  async startProjectionReplay(projection: string): Promise<string> {
    const body = { projection_name: projection };
    const run = membersOf(inData(await this.#request('POST', '/api/replay', body)), 'the run');
    return text(run, 'replay_id');
  }

  async projectionReplayStatus(replayId: string): Promise<string> {
    const run = inData(await this.#request('GET', `/api/replay/${replayId}`));
    return text(membersOf(run, 'the run'), 'status');
  }

  async health(): Promise<Members> {
    return membersOf(await this.#request('GET', '/health'), 'the answer');
  }

  async #request(method: string, path: string, body?: unknown): Promise<unknown> {
    try {
      return await this.#transport.call({ method, path, body }, parsedJson);
    } catch (error) {
      throw error instanceof SdkHttpError ? pythonErrorOf(error) : error;
    }
  }
}

function pythonErrorOf({ status, text: body }: SdkHttpError): Error {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return new PythonAllSourceError('api_error', body, status);
  }
  const error = membersOf(parsed, 'the body')['error'] ?? {};
  if (typeof error !== 'object')
    return new PythonAttributeError(`'${typeof error}' object has no attribute 'get'`);
  const { code = 'api_error', message = body } = error as Members;
  return new PythonAllSourceError(code, String(message), status);
}

/** `result.get("data", result)`. */
function inData(value: unknown): unknown {
  const members = membersOf(value, 'the answer');
  return members['data'] ?? members;
}

function pythonEvent(value: unknown): PythonEvent {
  const event = membersOf(value, 'an event');
  return {
    id: text(event, 'id'),
    entityId: text(event, 'entity_id'),
    eventType: text(event, 'event_type'),
    payload: event['payload'] ?? {},
    timestamp: text(event, 'timestamp'),
    version: event['version'] ?? 0,
  };
}

function pythonEventList(value: unknown): PythonEventList {
  const answer = membersOf(value, 'the answer');
  const inner = answer['data'];
  const source = typeof inner === 'object' && !Array.isArray(inner) ? (inner as Members) : answer;
  const items = source['events'] ?? source['data'] ?? [];
  if (!Array.isArray(items)) throw new SdkDecodeError('the events are not iterable');
  const { count = items.length } = source;
  return { events: items.map(pythonEvent), count: Number(count) };
}

function pythonProjection(value: unknown): { id: string; name: string } {
  const projection = membersOf(value, 'a projection');
  return { id: text(projection, 'id'), name: text(projection, 'name') };
}
