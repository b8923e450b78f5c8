/**
 * A running store with what the examples of its API documents name, and the documents of its three services. It calls an operation as its document describes
 * it, and makes before what only the store can make, such as ids.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { RunningStore } from '../running-store.ts';
import { ApiDocument, type Document, type Placed } from './api-document.ts';
import {
  type Answered,
  type DocumentedCall,
  exampleCall,
  merged,
  send,
} from './documented-call.ts';

export const SERVICES = ['core', 'query', 'control-plane'] as const;
export type Service = (typeof SERVICES)[number];

/** The gateway hands these on without knowing them: what there is, the control plane's document says. */
export const HANDED_ON = /\{below\}$/;

/** Answers that are right although they are refusals, such as that to a plain GET of a WebSocket, or to cancelling what has ended. */
const RIGHT_REFUSALS: Readonly<Record<string, readonly number[]>> = {
  streamEvents: [426],
  // A run over all entities may be under way.
  takeSnapshot: [409],
  // No definition is touched that the query service has not checked.
  setDefinition: [409],
  removeDefinition: [409],
  // There is no earlier build, and nothing is there that could be tried again.
  rollBackProjection: [409],
  retryDeadLetters: [503],
  cancelReplay: [400, 404, 409],
  cancelReplayOperation: [400, 404, 409],
};

/** What a walk needs from its beginning. */
const MADE_BY_EXAMPLE = ['createProjection', 'registerPipeline', 'setUpcaster'];

/** Who asks: an administrator, one who may only read, nobody. */
export type Asker = 'admin' | 'reader' | 'nobody';

export class DocumentedStore {
  readonly store: RunningStore;
  readonly #apis = new Map<Service, ApiDocument>();
  readonly #internalToken: string;
  #readerKey = '';
  #eventId = '';
  #made = 0;

  private constructor(store: RunningStore) {
    this.store = store;
    this.#internalToken = readFileSync(join(store.dataDir, 'internal-token'), 'utf8').trim();
  }

  static async start(): Promise<DocumentedStore> {
    const world = new DocumentedStore(await RunningStore.start({ ALLSOURCE_PARQUET: 'true' }));
    await world.#fill();
    return world;
  }

  async #fill(): Promise<void> {
    const { store } = this;
    for (const type of ['placed', 'paid']) {
      const payload = { customer: 'c-7', amount: 4200 };
      const event = { event_type: `order.${type}`, entity_id: 'order-1001', payload };
      this.#eventId = (await store.post('/api/v1/events', event)).body.event_id;
    }
    const schema = { type: 'object', properties: { amount: { type: 'integer' } } };
    await store.post('/api/v1/schemas', { subject: 'order.placed', schema });
    const versions = [{ n: { type: 'integer' } }, { currency: { type: 'string' } }];
    for (const properties of versions)
      await store.post('/api/v1/schemas', {
        subject: 'order.packed',
        schema: { type: 'object', properties },
      });
    const reader = { name: 'reader', role: 'readonly' };
    this.#readerKey = (await store.post('/api/v1/auth/api-keys', reader)).body.key;
    for (const service of SERVICES) {
      const { body } = await store.ask(`${this.urlOf(service)}/openapi.json`, { key: null });
      this.#apis.set(service, new ApiDocument(body as Document));
    }
    for (const id of MADE_BY_EXAMPLE) await this.#callExample(id);
  }

  /** Makes what other examples name, by the example of the operation that makes it. */
  async #callExample(id: string): Promise<void> {
    const { operations } = this.api('query');
    const placed = operations.find(({ operation }) => operation.operationId === id);
    if (placed === undefined) return;
    const call = merged(exampleCall(placed), this.credentials(placed, 'admin'));
    const { status, text } = await this.send('query', placed, call);
    assert.ok(status < 300, `the example of ${id} is refused: ${status} ${text}`);
  }

  urlOf(service: Service): string {
    const { store } = this;
    return { core: store.coreUrl, query: store.url, 'control-plane': store.controlPlaneUrl }[
      service
    ];
  }

  api(service: Service): ApiDocument {
    return this.#apis.get(service) as ApiDocument;
  }

  send(service: Service, placed: Placed, call: DocumentedCall): Promise<Answered> {
    return send(this.urlOf(service), placed, call);
  }

  /** The headers that say who asks, of an operation that needs the internal token that token. */
  credentials({ operation }: Placed, asker: Asker): DocumentedCall {
    if (asker === 'nobody') return {};
    if (operation['x-needs'] === 'internal' && asker === 'admin')
      return { headers: { [INTERNAL_TOKEN_HEADER]: this.#internalToken } };
    const key = asker === 'admin' ? this.store.apiKey : this.#readerKey;
    return { headers: { authorization: `Bearer ${key}` } };
  }

  /** The example of an operation, ready to be called. */
  async goodCall(placed: Placed): Promise<DocumentedCall> {
    const prepared = (await this.#preparations[kindOf(placed)]?.()) ?? {};
    return merged(exampleCall(placed), prepared, this.credentials(placed, 'admin'));
  }

  /** What an example cannot name because the store makes it, or because the call uses it up. */
  readonly #preparations: Readonly<Record<string, () => Promise<DocumentedCall> | DocumentedCall>> =
    {
      getEvent: () => ({ path: { eventId: this.#eventId } }),
      revokeApiKey: async () => {
        const { body } = await this.store.post('/api/v1/auth/api-keys', { name: 'short-lived' });
        return { path: { keyId: body.id } };
      },
      createTenant: () => ({ body: JSON.stringify({ id: `tenant-${this.#made++}` }) }),
      startReplay: () => this.#afterReplays(),
      orderReplay: () => this.#afterReplays(),
      rebuildProjection: () => this.#afterReplays(),
      getReplay: async () => ({ path: { replayId: await this.#endedReplay() } }),
      deleteReplay: async () => ({ path: { replayId: await this.#endedReplay('new') } }),
      getReplayOperation: async () => ({ path: { operationId: await this.#endedReplay() } }),
      getSnapshotRun: () => this.#snapshotRun(),
      getSnapshotOperation: () => this.#snapshotRun(),
      registerSchema: async () => {
        const path = '/api/v1/schemas/order.shipped/compatibility';
        const body = JSON.stringify({ compatibility: 'NONE' });
        await this.store.ask(path, { method: 'PUT', body });
        return {};
      },
      createProjection: () => {
        const body = { name: `projection-${this.#made++}`, template: 'events-per-day' };
        return { body: JSON.stringify(body) };
      },
      deleteProjection: () => this.#newProjection(),
      startProjection: () => this.#newProjection(),
      pauseProjection: () => this.#newProjection(),
      stopProjection: () => this.#newProjection(),
      removeUpcaster: async () => {
        await this.#callExample('setUpcaster');
        return {};
      },
      removePipeline: () => this.#newPipeline(),
      followLog: () => ({ query: { to: '1' } }),
      appendArrow: () => ({ body: arrowEvents() }),
    };

  /** One replay of a projection is under way at a time. */
  async #afterReplays(): Promise<DocumentedCall> {
    for (;;) {
      const { text } = await this.store.ask('/api/v1/replay');
      if (!/"status":"(?:pending|running)"/.test(text)) return {};
      await sleep(10);
    }
  }

  async #endedReplay(which: 'any' | 'new' = 'any'): Promise<string> {
    for (;;) {
      await this.#afterReplays();
      const [known] = (await this.store.ask('/api/v1/replay')).body.replays;
      if (known !== undefined && which === 'any') return known.replay_id;
      const body = { projection_name: 'event_counters' };
      const started = await this.store.post('/api/v1/replay', body);
      // Another call that is made ready at the same time may have been first.
      if (started.status === 409) continue;
      await this.#afterReplays();
      return started.body.replay_id;
    }
  }

  async #newProjection(): Promise<DocumentedCall> {
    const body = { name: `projection-${this.#made++}`, template: 'events-per-day' };
    await this.store.post('/api/v1/projections', body);
    return { path: { name: body.name } };
  }

  async #newPipeline(): Promise<DocumentedCall> {
    const body = { name: 'short-lived', operators: [], output: 'table', enabled: false };
    const { pipeline_id } = (await this.store.post('/api/v1/pipelines', body)).body;
    return { path: { pipelineId: pipeline_id } };
  }

  /** One run over all entities is under way at a time. */
  async #snapshotRun(): Promise<DocumentedCall> {
    for (;;) {
      const { status, body } = await this.store.post('/api/v1/snapshots', {});
      if (status !== 409) return { path: { runId: body.run_id } };
      await sleep(10);
    }
  }
}

/** The name of an operation without what tells apart the same one below another path. */
export function kindOf({ operation }: Placed): string {
  return operation.operationId.replace(/Unversioned$|Of[A-Z]\w*$/, '');
}

/** Why an answer to an example is none that was wanted; null when it is. */
export function successFault(placed: Placed, { status, text }: Answered): string | null {
  if (placed.operation.tags.includes('Not available'))
    return status === 501 ? null : `answered ${status}`;
  if (status >= 200 && status < 300) return null;
  if (HANDED_ON.test(placed.path) || RIGHT_REFUSALS[kindOf(placed)]?.includes(status) === true)
    return null;
  return `the example is refused with ${status}: ${text.slice(0, 300)}`;
}

function arrowEvents(): Uint8Array<ArrayBuffer> {
  const event = {
    event_type: textColumn('order.placed'),
    entity_id: textColumn('order-1002'),
    payload: textColumn('{"n":1}'),
  };
  return new Uint8Array(tableToIPC(new Table(event), 'stream'));
}

function textColumn(value: string) {
  return vectorFromArray([value], new Utf8());
}
