/**
 * The Go SDK: nothing is repeated unless asked for, and `encoding/json` decides what can be read: members that are missing stay zero, `null` is taken for any
 * of them, and a member of another type is an error.
 */
import { type Members, membersOf, queryString } from './shape.ts';
import {
  isRetryableStatus,
  parsedJson,
  SdkDecodeError,
  SdkHttpError,
  SdkTransport,
  type SdkTry,
} from './transport.ts';

export interface GoClientOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
  /** `WithRetry`: how often a call is repeated. */
  readonly retriesMax?: number;
}

/** `*APIError`. */
export class GoApiError extends Error {
  override readonly name = 'GoApiError';
  readonly code: string;
  readonly statusCode: number;

  constructor(code: string, message: string, statusCode: number) {
    super(message);
    this.code = code;
    this.statusCode = statusCode;
  }
}

export interface GoEvent {
  readonly id: string;
  readonly entityId: string;
  readonly eventType: string;
  readonly payload: Members | null;
  readonly metadata: Members | null;
  readonly timestamp: string;
  readonly version: number;
}

export interface GoAck {
  readonly eventId: string;
  readonly timestamp: string;
}

export interface GoReplay {
  readonly id: string;
  readonly status: string;
}

export interface GoQuery {
  readonly eventType?: string;
  readonly entityId?: string;
  readonly start?: string;
  readonly end?: string;
  readonly limit?: number;
  readonly offset?: number;
}

export class GoClient {
  readonly #transport: SdkTransport;

  constructor({ apiKey, baseUrl, retriesMax = 0 }: GoClientOptions) {
    this.#transport = new SdkTransport({
      url: baseUrl,
      headers: { 'x-api-key': apiKey },
      contentType: 'always',
      retriesMax,
      repeats: (failure) =>
        failure instanceof SdkHttpError ? isRetryableStatus(failure.status) : true,
      failuresOf: () => 0,
      breakerThreshold: Number.POSITIVE_INFINITY,
    });
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  async ingest(eventType: string, entityId: string, data: Members): Promise<GoAck> {
    const body = { entity_id: entityId, event_type: eventType, payload: data };
    return goAck(await this.#call('POST', '/api/v1/events', body));
  }

  async ingestBatch(
    events: readonly Members[],
  ): Promise<{ total: number; ingested: number; events: GoAck[] }> {
    const answer = struct(await this.#call('POST', '/api/v1/events/batch', { events }));
    return {
      total: int(answer, 'total'),
      ingested: int(answer, 'ingested'),
      events: slice(answer, 'events').map(goAck),
    };
  }

  async query(query: GoQuery): Promise<{ events: GoEvent[]; count: number }> {
    // Zero values are left out.
    const parameters = queryString({
      end: undefined,
      entity_id: query.entityId || undefined,
      event_type: query.eventType || undefined,
      limit: query.limit || undefined,
      offset: query.offset || undefined,
      since: query.start || undefined,
      until: query.end || undefined,
    });
    const answer = struct(await this.#call('GET', `/api/v1/events/query${parameters}`));
    return { events: slice(answer, 'events').map(goEvent), count: int(answer, 'count') };
  }

  async projections(): Promise<{ names: string[]; total: number }> {
    const answer = struct(await this.#call('GET', '/api/v1/projections'));
    const names = slice(answer, 'projections').map((item) => {
      const projection = struct(item);
      for (const name of ['id', 'status', 'definition', 'created_at', 'updated_at'])
        string(projection, name);
      int(projection, 'version');
      map(projection, 'initial_state');
      return string(projection, 'name');
    });
    return { names, total: int(answer, 'total') };
  }

  /** Previews a replay; the answer stands in `data`. */
  async analyzeProjectionReplay(projection: string): Promise<{ name: string; events: number }> {
    const body = { projection_name: projection };
    const answer = struct(await this.#call('POST', '/api/replay/preview', body));
    const data = struct(answer['data']);
    for (const name of ['first_event_at', 'last_event_at', 'analyzed_at']) string(data, name);
    for (const name of ['event_type_distribution', 'sampled_entities', 'checks', 'warnings'])
      slice(data, name);
    return { name: string(data, 'projection_name'), events: int(data, 'total_events') };
  }

  /** Starts a replay and returns its id; the answer stands in `data`. */
  async startProjectionReplay(projection: string): Promise<string> {
    const body = { projection_name: projection };
    return goReplay(await this.#call('POST', '/api/replay', body)).id;
  }

  async projectionReplay(id: string): Promise<GoReplay> {
    return goReplay(await this.#call('GET', `/api/replay/${id}`));
  }

  async health(): Promise<Members> {
    return struct(await this.#call('GET', '/health'));
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    try {
      const answer = await this.#transport.call({ method, path, body }, (answerText) => answerText);
      return parsedJson(answer);
    } catch (error) {
      throw error instanceof SdkHttpError ? goErrorOf(error) : error;
    }
  }
}

function goErrorOf({ status, text: body }: SdkHttpError): GoApiError {
  let code = '';
  let message = '';
  try {
    const error = struct(struct(JSON.parse(body))['error']);
    [code, message] = [string(error, 'code'), string(error, 'message')];
  } catch {
    // Whatever is not `{"error":{"code","message"}}` is shown as it came.
  }
  return code === ''
    ? new GoApiError('api_error', body, status)
    : new GoApiError(code, message, status);
}

function goEvent(value: unknown): GoEvent {
  const event = struct(value);
  return {
    id: string(event, 'id'),
    entityId: string(event, 'entity_id'),
    eventType: string(event, 'event_type'),
    payload: map(event, 'payload'),
    metadata: map(event, 'metadata'),
    timestamp: string(event, 'timestamp'),
    version: int(event, 'version'),
  };
}

function goAck(value: unknown): GoAck {
  const ack = struct(value);
  return { eventId: string(ack, 'event_id'), timestamp: string(ack, 'timestamp') };
}

function goReplay(value: unknown): GoReplay {
  const run = struct(struct(value)['data']);
  for (const name of ['projection_name', 'started_at', 'updated_at']) string(run, name);
  for (const name of ['total_events', 'processed_events', 'failed_events']) int(run, name);
  return { id: string(run, 'replay_id'), status: string(run, 'status') };
}

// The rules of encoding/json for the types that the SDK declares: null and a missing member leave the zero value.

function struct(value: unknown): Members {
  return value === undefined || value === null ? {} : membersOf(value, 'the value');
}

function string(members: Members, name: string): string {
  const value = members[name] ?? '';
  if (typeof value !== 'string') throw mismatch(name, 'string', value);
  return value;
}

function int(members: Members, name: string): number {
  const value = members[name] ?? 0;
  if (!Number.isSafeInteger(value)) throw mismatch(name, 'int', value);
  return value as number;
}

function map(members: Members, name: string): Members | null {
  const value = members[name] ?? null;
  return value === null ? null : membersOf(value, name);
}

function slice(members: Members, name: string): unknown[] {
  const value = members[name] ?? [];
  if (!Array.isArray(value)) throw mismatch(name, 'slice', value);
  return value;
}

function mismatch(name: string, type: string, value: unknown): SdkDecodeError {
  return new SdkDecodeError(
    `json: cannot unmarshal ${JSON.stringify(value)} into ${name} of type ${type}`,
  );
}
