/** `QueryClient` of the Rust SDK. */
import { type RustClientOptions, RustTransport, statusOf } from './rust-transport.ts';
import * as types from './rust-types.ts';
import { percentEncoded, queryString } from './shape.ts';
import { SdkDecodeError, type SdkTry } from './transport.ts';

export interface RustQuery {
  readonly entity_id?: string;
  readonly event_type?: string;
  readonly event_type_prefix?: string;
  readonly limit?: number;
  readonly offset?: number;
  readonly since?: string;
  readonly until?: string;
  /** The JSON text of an object. */
  readonly payload_filter?: string;
  readonly order?: 'asc' | 'desc';
}

export class RustQueryClient {
  readonly #transport: RustTransport;

  constructor(options: RustClientOptions) {
    this.#transport = new RustTransport(options);
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  health(): Promise<string> {
    return this.#transport.get('/health', statusOf);
  }

  queryEvents(query: RustQuery): Promise<types.RustEvents> {
    return this.#transport.get(
      `/api/v1/events/query${queryString({ ...query })}`,
      types.rustEvents,
    );
  }

  getEntityEvents(entityId: string): Promise<types.RustEvents> {
    return this.queryEvents({ entity_id: entityId });
  }

  /** Later than 0.19: pages of events until the server says that there are no more. A page that begins as the last one did is an error. */
  async *pagesOfEvents(query: RustQuery, pageSize = 100): AsyncGenerator<types.RustEvent> {
    let first: string | null = null;
    for (let offset = 0; ; offset += pageSize) {
      const page = await this.queryEvents({ ...query, limit: pageSize, offset });
      const head = page.events[0]?.id ?? null;
      if (head !== null && head === first) throw new SdkDecodeError('ignored offset');
      first = head;
      yield* page.events;
      if (page.hasMore === false || page.events.length < pageSize) return;
    }
  }

  /** Asks once, without paging: a server with a default limit would silently shorten the fold. */
  async queryAndFold<S>(query: RustQuery, folder: RustFolder<S>): Promise<S | null> {
    const { events } = await this.queryEvents(query);
    for (const event of events) folder.apply(event);
    return folder.finalize();
  }

  listProjections(): Promise<types.RustProjections> {
    return this.#transport.get('/api/v1/projections', types.rustProjections);
  }

  listEntities(
    query: {
      readonly event_type_prefix?: string;
      readonly limit?: number;
      readonly offset?: number;
      readonly order?: 'asc' | 'desc';
    } = {},
  ): Promise<types.RustEntities> {
    return this.#transport.get(`/api/v1/entities${queryString(query)}`, types.rustEntities);
  }

  detectDuplicates(prefix: string, groupBy: readonly string[]): Promise<types.RustDuplicates> {
    const query = queryString({ event_type_prefix: prefix, group_by: groupBy.join(',') });
    return this.#transport.get(`/api/v1/entities/duplicates${query}`, types.rustDuplicates);
  }

  /** Later than 0.19, at the gateway. */
  previewReplay(projection: string): Promise<Readonly<Record<string, unknown>>> {
    const body = { projection_name: projection };
    return this.#transport.send({ path: '/api/replay/preview', body }, types.rustReplayAnalysis);
  }

  startReplay(projection: string): Promise<types.RustReplayRun> {
    const body = { projection_name: projection };
    return this.#transport.send({ path: '/api/replay', body }, types.rustReplayRun);
  }

  getReplay(replayId: string): Promise<types.RustReplayRun> {
    return this.#transport.get(`/api/replay/${percentEncoded(replayId)}`, types.rustReplayRun);
  }
}

/** A fold of events on the client's side. */
export interface RustFolder<S> {
  apply(event: types.RustEvent): void;
  finalize(): S | null;
}
