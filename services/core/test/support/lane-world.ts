/** The streamed lanes over a real server, on a journal over a memory store whose appends can be held back, counted and made to fail. */
import { LaneClient, type LaneRequest } from '@allsource/testkit';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Principal } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { position, systemClock } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { createApp } from '@allsource/service-kit/http';
import { StreamSlots } from '../../src/http/stream-slots.ts';
import { HttpMetrics } from '@allsource/service-kit/observability';
import type { Logger } from '@allsource/service-kit/observability';
import { Journal } from '../../src/append/journal.ts';
import { arrowRoutes } from '../../src/http/arrow-routes.ts';
import { NdjsonHandler } from '../../src/http/ndjson-handler.ts';
import { CompiledSchemas, SchemaFold } from '@allsource/schemas/registry';
import { SchemaGate } from '../../src/schemas/schema-gate.ts';
import { YoungCollector } from '@allsource/service-kit/lifecycle';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { CoreMetrics } from '../../src/observability/core-metrics.ts';
import type {
  LogHead,
  LogStore,
  ReplayOnOpen,
  StoreAppendOutcome,
} from '../../src/storage/log-store.ts';
import { MemoryLog, MemoryLogStore } from '../../src/storage/memory-log-store.ts';
import { testKernel } from './test-kernel.ts';
import { framesOf } from '../../src/storage/stretch.ts';

export class HeldStore implements LogStore {
  readonly inner: MemoryLogStore;
  gate: Promise<void> = Promise.resolve();
  outcomes: StoreAppendOutcome[] = [];

  constructor(log: MemoryLog) {
    this.inner = new MemoryLogStore(log);
  }

  open(replay?: ReplayOnOpen): Promise<LogHead> {
    return this.inner.open(replay);
  }

  async append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    await this.gate;
    return this.outcomes.shift() ?? (await this.inner.append(frames));
  }

  read(from: Parameters<LogStore['read']>[0]): ReturnType<LogStore['read']> {
    return this.inner.read(from);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

export interface LaneWorldOptions {
  readonly withKernel?: boolean;
  readonly payloadBytesMax?: number;
  readonly batchEventsMax?: number;
  readonly silenceMs?: number;
}

const zero = () => 0;

export const TENANT = 'acme';

const NO_TROUBLE = {
  sealing: () => ({ segments: 0, rawBytes: 0, sealedBytes: 0, failures: 0, waiting: 0 }),
  isPoisoned: () => false,
  isFull: () => false,
};

export class LaneWorld {
  readonly log = new MemoryLog();
  readonly store = new HeldStore(this.log);
  readonly logged: string[] = [];
  readonly schemas = new SchemaFold();
  readonly streams = new StreamSlots();
  readonly options: LaneWorldOptions;
  closed: Problem | null = null;
  isKeyGood = true;
  journal!: Journal;
  #server!: Server;

  private constructor(options: LaneWorldOptions) {
    this.options = options;
  }

  static async start(options: LaneWorldOptions = {}): Promise<LaneWorld> {
    const world = new LaneWorld(options);
    await world.#start();
    return world;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #start(): Promise<void> {
    const { withKernel = true } = this.options;
    this.journal = await Journal.open({
      store: this.store,
      clock: systemClock,
      random: () => 1,
      folds: [this.schemas],
      ...(withKernel
        ? { builder: new KernelBuilder({ kernel: testKernel(), clock: systemClock }) }
        : {}),
    });
    const lines = new NdjsonHandler(this.parts());
    const app = createApp({
      ...this.parts(),
      edge: 'core',
      metrics: new HttpMetrics('test'),
      routes: arrowRoutes({ ...this.parts(), hasTenant: (tenant) => tenant === TENANT }),
    });
    this.#server = createServer((request, response) => {
      if (!lines.handle(request, response)) app(request, response);
    });
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  parts() {
    const { payloadBytesMax = 4000, batchEventsMax = 1000, silenceMs } = this.options;
    const httpMetrics = new HttpMetrics('test');
    const gauges = { head: zero, entities: zero, events: zero, storageBytes: zero, ...NO_TROUBLE };
    const metrics = new CoreMetrics(httpMetrics, { ...gauges, connections: zero });
    const note = (_facts: object, text: string) => void this.logged.push(text);
    return {
      journal: this.journal,
      clock: systemClock,
      limits: { payloadBytesMax, batchEventsMax, bodyBytesMax: 16 * 1024 * 1024 },
      httpMetrics,
      metrics,
      schemas: new SchemaGate({
        fold: this.schemas,
        compiled: new CompiledSchemas(),
        counts: metrics,
      }),
      youngCollector: new YoungCollector(),
      streams: this.streams,
      logger: { info: note, error: note } as unknown as Logger,
      guard: () => this.#principal(),
      resolveTenant: (_principal: Principal, asked: string | null) => asked ?? TENANT,
      closedFor: () => this.closed,
      ...(silenceMs === undefined ? {} : { silenceMs }),
    };
  }

  #principal(): Principal {
    if (!this.isKeyGood) throw problem('unauthenticated', 'This API key has been revoked.');
    const who = { kind: 'api_key', id: 'k', name: 'k', tenantId: TENANT } as const;
    return { ...who, role: 'serviceaccount', expiresAtMs: null };
  }

  client(options: Omit<LaneRequest, 'url'> = {}): LaneClient {
    return new LaneClient({ url: this.url, ...options });
  }

  /** Sends a body at once. */
  send(body: string | Uint8Array, options: Omit<LaneRequest, 'url'> = {}): Promise<LaneClient> {
    return this.client(options).end(body);
  }

  /** `entity payload` of all durable events, in order. */
  async stored(): Promise<string[]> {
    const events: string[] = [];
    if (this.journal.head === 0) return events;
    for await (const frame of framesOf(this.journal.read(position(1))))
      for (const event of frame.events())
        events.push(`${event.entity} ${Buffer.from(event.payload).toString('utf8')}`);
    return events;
  }

  /** Holds the disk back until the returned function is called. */
  holdDisk(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.store.gate = promise;
    return resolve;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    await this.journal.close();
  }
}

export function eventLine(entity: string, payload: string | number = 1, rest = ''): string {
  return `{"event_type":"a.b","entity_id":"${entity}","payload":${payload}${rest}}`;
}

/** `count` lines with the payloads `from`, `from + 1`, ... */
export function eventLines(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `${eventLine(`e-${i % 7}`, from + i)}\n`).join('');
}
