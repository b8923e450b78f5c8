/**
 * The TypeScript SDK in its two forms: the older takes the answers as they are, the newer takes what stands in `data`. Neither checks a shape, so a missing
 * member shows as `undefined` or as a TypeError in the caller.
 */
import { queryString } from './shape.ts';
import {
  isRetryableStatus,
  parsedJson,
  type SdkFailure,
  SdkHttpError,
  SdkTransport,
  type SdkTry,
} from './transport.ts';

export interface TypeScriptClientOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly retriesMax?: number;
}

export interface TypeScriptEventInput {
  readonly event_type: string;
  readonly entity_id: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface TypeScriptEvent extends TypeScriptEventInput {
  readonly id: string;
  readonly timestamp: string;
  readonly version: number;
}

export interface TypeScriptEvents {
  readonly events: readonly TypeScriptEvent[];
  readonly count: number;
}

interface Ack {
  readonly event_id: string;
  readonly timestamp: string;
}

class TypeScriptBase {
  readonly #transport: SdkTransport;

  constructor({ baseUrl, apiKey, retriesMax = 3 }: TypeScriptClientOptions) {
    this.#transport = new SdkTransport({
      url: baseUrl,
      headers: { 'x-api-key': apiKey, accept: 'application/json' },
      contentType: 'with a body',
      retriesMax,
      repeats: isTypeScriptRetryable,
      // A final HTTP answer is counted before the throw and again in the catch; tries before it are not counted.
      failuresOf: (failure, isLast) => (isLast ? (failure instanceof SdkHttpError ? 2 : 1) : 0),
      breakerThreshold: 5,
    });
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  queryEvents(
    parameters: Readonly<Record<string, string | number>> = {},
  ): Promise<TypeScriptEvents> {
    return this.request('GET', `/api/v1/events/query${queryString(parameters)}`);
  }

  listProjections(): Promise<{ projections: { name: string }[]; total: number }> {
    return this.request('GET', '/api/v1/projections');
  }

  getHealth(): Promise<{ status: string; version?: string }> {
    return this.request('GET', '/health');
  }

  protected async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    // The SDK trusts the answer's shape: what it returns is whatever came.
    return (await this.#transport.call({ method, path, body }, parsedJson)) as T;
  }
}

/** The SDK as its integration test knows it. */
export class TypeScriptOldClient extends TypeScriptBase {
  ingestEvent(event: TypeScriptEventInput): Promise<Ack> {
    return this.request('POST', '/api/v1/events', event);
  }

  ingestBatch(
    events: readonly TypeScriptEventInput[],
  ): Promise<{ total: number; ingested: number; events: Ack[] }> {
    return this.request('POST', '/api/v1/events/batch', { events });
  }
}

export interface TypeScriptCreated {
  readonly id: string;
  readonly timestamp: string;
  readonly version: number | undefined;
}

interface RawCreated extends Partial<Ack> {
  readonly id?: string;
  readonly timestamp: string;
  readonly version?: number;
}

/** The SDK that npm has as `@allsourcedev/client`: answers in a `data` envelope. */
export class TypeScriptNewClient extends TypeScriptBase {
  async ingestEvent(event: TypeScriptEventInput): Promise<TypeScriptCreated> {
    const answer = await this.request<{ data: RawCreated }>('POST', '/api/v1/events', event);
    return created(answer.data);
  }

  async ingestBatch(
    events: readonly TypeScriptEventInput[],
  ): Promise<{ count: number; events: TypeScriptCreated[] }> {
    const answer = await this.request<{ data?: RawCreated[]; count: number }>(
      'POST',
      '/api/v1/events/batch',
      { events },
    );
    return { count: answer.count, events: (answer.data ?? []).map(created) };
  }

  async analyzeProjectionReplay(projection: string): Promise<Readonly<Record<string, unknown>>> {
    const body = { projection_name: projection };
    return (await this.request<Envelope>('POST', '/api/replay/preview', body)).data;
  }

  async startProjectionReplay(projection: string): Promise<Readonly<Record<string, unknown>>> {
    const body = { projection_name: projection };
    return (await this.request<Envelope>('POST', '/api/replay', body)).data;
  }

  async getProjectionReplay(replayId: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.request<Envelope>('GET', `/api/replay/${replayId}`)).data;
  }

  async cancelProjectionReplay(replayId: string): Promise<Readonly<Record<string, unknown>>> {
    return (await this.request<Envelope>('POST', `/api/replay/${replayId}/cancel`, {})).data;
  }
}

interface Envelope {
  readonly data: Readonly<Record<string, unknown>>;
}

function created(raw: RawCreated): TypeScriptCreated {
  return { id: raw.event_id ?? raw.id ?? '', timestamp: raw.timestamp, version: raw.version };
}

// A body that is not JSON is taken for a network failure; one of the wrong shape is not noticed.
function isTypeScriptRetryable(failure: SdkFailure): boolean {
  return failure instanceof SdkHttpError ? isRetryableStatus(failure.status) : true;
}
