/**
 * The OpenAPI documents against the running store: every operation of every service is called as its document describes it, and the answers are held against
 * their schemas, with no room for members that a schema does not name. What a document refuses the service refuses, and what it allows the service allows.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { ApiDocument, type Document, type Placed } from '../support/openapi/api-document.ts';
import { bodyVariants } from '../support/openapi/body-variants.ts';
import {
  type Answered,
  answerFault,
  type DocumentedCall,
  exampleCall,
  merged,
  send,
} from '../support/openapi/documented-call.ts';
import { RunningStore } from '../support/running-store.ts';

const SERVICES = ['core', 'query', 'control-plane'] as const;
type Service = (typeof SERVICES)[number];

/** Codes that say that a request is not one. */
const MALFORMED = /^(?:malformed_|invalid_|json_too_deep|unsupported_media_type)/;
const ROLE_OF_READERS = ['read', 'metrics', 'authenticated', 'public'];
/** The gateway hands these on without knowing them: what there is, the control plane's document says. */
const HANDED_ON = /\{below\}$/;

let store: RunningStore;
const apis = {} as Record<Service, ApiDocument>;
const urls = {} as Record<Service, string>;
let adminKey = '';
let readerKey = '';
let internalToken = '';
let eventId = '';
let made = 0;

beforeAll(async () => {
  store = await RunningStore.start({ ALLSOURCE_PARQUET: 'true' });
  Object.assign(urls, {
    core: store.coreUrl,
    query: store.url,
    'control-plane': store.controlPlaneUrl,
  });
  adminKey = store.apiKey;
  internalToken = readFileSync(join(store.dataDir, 'internal-token'), 'utf8').trim();
  for (const type of ['placed', 'paid']) {
    const payload = { customer: 'c-7', amount: 4200 };
    const event = { event_type: `order.${type}`, entity_id: 'order-1001', payload };
    eventId = (await store.post('/api/v1/events', event)).body.event_id;
  }
  await store.post('/api/v1/schemas', {
    subject: 'order.placed',
    schema: { type: 'object', properties: { amount: { type: 'integer' } } },
  });
  const key = await store.post('/api/v1/auth/api-keys', { name: 'reader', role: 'readonly' });
  readerKey = key.body.key;
  for (const service of SERVICES) {
    const answer = await store.ask(`${urls[service]}/openapi.json`, { key: null });
    apis[service] = new ApiDocument(answer.body as Document);
  }
}, 60_000);
afterAll(() => store?.remove(), 60_000);

function needsInternal({ operation }: Placed): boolean {
  return operation['x-needs'] === 'internal';
}

function credentials(placed: Placed, key: string | null): Record<string, string> {
  if (key === null) return {};
  if (needsInternal(placed)) return { [INTERNAL_TOKEN_HEADER]: internalToken };
  return { authorization: `Bearer ${key}` };
}

function nameOf(service: Service, { method, path }: Placed): string {
  return `${service}: ${method} ${path}`;
}

/** The id without what tells apart the same operation below another path. */
function kindOf({ operation }: Placed): string {
  return operation.operationId.replace(/Unversioned$|Of[A-Z]\w*$/, '');
}

/** Waits until no replay is under way: one of a projection runs at a time. */
async function afterOthers(): Promise<DocumentedCall> {
  for (;;) {
    const { replays } = (await store.ask('/api/v1/replay')).body;
    const isEnded = ({ status }: { status: string }) => !/pending|running/.test(status);
    if (replays.every(isEnded)) return {};
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The id of a replay that has ended; of a new one where it will be used up. */
async function endedReplay(isNew = false): Promise<string> {
  await afterOthers();
  const [known] = (await store.ask('/api/v1/replay')).body.replays;
  if (known !== undefined && !isNew) return known.replay_id;
  const body = { projection_name: 'event_counters' };
  const { replay_id } = (await store.post('/api/v1/replay', body)).body;
  await afterOthers();
  return replay_id;
}

async function snapshotRun(): Promise<DocumentedCall> {
  return { path: { runId: (await store.post('/api/v1/snapshots', {})).body.run_id } };
}

/** What an example cannot name because it is made by the store, or is used up by the call. */
const PREPARATIONS: Readonly<Record<string, () => Promise<DocumentedCall> | DocumentedCall>> = {
  getEvent: () => ({ path: { eventId } }),
  revokeApiKey: async () => {
    const { body } = await store.post('/api/v1/auth/api-keys', { name: 'short-lived' });
    return { path: { keyId: body.id } };
  },
  createTenant: () => ({ body: JSON.stringify({ id: `tenant-${made++}`, name: 'One more' }) }),
  startReplay: afterOthers,
  orderReplay: afterOthers,
  rebuildProjection: afterOthers,
  getReplay: async () => ({ path: { replayId: await endedReplay() } }),
  deleteReplay: async () => ({ path: { replayId: await endedReplay(true) } }),
  getReplayOperation: async () => ({ path: { operationId: await endedReplay() } }),
  getSnapshotRun: snapshotRun,
  getSnapshotOperation: snapshotRun,
  registerSchema: async () => {
    const path = '/api/v1/schemas/order.shipped/compatibility';
    await store.ask(path, { method: 'PUT', body: JSON.stringify({ compatibility: 'NONE' }) });
    return {};
  },
  followLog: () => ({ query: { to: '1' } }),
  appendArrow: () => ({ body: arrowEvents() }),
};

function arrowEvents(): Uint8Array<ArrayBuffer> {
  const column = (value: string) => vectorFromArray([value], new Utf8());
  const event = {
    event_type: column('order.placed'),
    entity_id: column('order-1002'),
    payload: column('{"n":1}'),
  };
  return new Uint8Array(tableToIPC(new Table(event), 'stream'));
}

/** Answers that are right although they are refusals, such as that to a plain GET of a WebSocket, or to cancelling what has ended. */
const RIGHT_REFUSALS: Readonly<Record<string, readonly number[]>> = {
  streamEvents: [426],
  // A run over all entities may be under way.
  takeSnapshot: [409],
  cancelReplay: [400, 404, 409],
  cancelReplayOperation: [400, 404, 409],
};

async function goodCall(placed: Placed): Promise<DocumentedCall> {
  const prepared = (await PREPARATIONS[kindOf(placed)]?.()) ?? {};
  const headers = credentials(placed, adminKey);
  return merged(exampleCall(placed), prepared, { headers });
}

function successFault(placed: Placed, { status, text }: Answered): string | null {
  const { tags } = placed.operation;
  if (tags.includes('Not available')) return status === 501 ? null : `answered ${status}`;
  if (status >= 200 && status < 300) return null;
  if (HANDED_ON.test(placed.path) || RIGHT_REFUSALS[kindOf(placed)]?.includes(status)) return null;
  return `the example is refused with ${status}: ${text.slice(0, 300)}`;
}

/** Reading first; what deletes comes last. */
function inOrder(operations: readonly Placed[]): Placed[] {
  const order = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  return operations.toSorted((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
}

describe.each(SERVICES)('the OpenAPI document of %s', (service) => {
  it('is valid, and names every operation once', async () => {
    const { document, operations } = apis[service];
    const result = await new Validator().validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  });

  it('has a page that loads nothing and runs nothing', async () => {
    const response = await fetch(`${urls[service]}/docs`);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]{44}';/);
    const page = await response.text();
    expect(page).not.toMatch(/<(?:script|img|link|iframe|object)\b|\bon\w+=|style="|https?:\/\//i);
    const { operations } = apis[service];
    const shown = operations.filter(({ path }) => !/^\/api\/(?!v1\/)/.test(path));
    expect(
      shown.filter(({ operation }) => !page.includes(`id="${operation.operationId}"`)),
    ).toEqual([]);
  });

  it('documents every route', () => {
    const missing = apis[service].operations.filter(
      ({ operation }) => operation['x-undocumented'] === true,
    );
    expect(missing.map((placed) => nameOf(service, placed))).toEqual([]);
  });

  it('has examples that work, and schemas that the answers keep', async () => {
    const faults: string[] = [];
    for (const placed of inOrder(apis[service].operations)) {
      const answered = await send(urls[service], placed, await goodCall(placed));
      const fault = successFault(placed, answered) ?? answerFault(apis[service], placed, answered);
      if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
    }
    expect(faults).toEqual([]);
  });

  it('has the right schemas for the other forms of a request and of its answer', async () => {
    const faults: string[] = [];
    for (const placed of apis[service].operations)
      for (const form of OTHER_FORMS[kindOf(placed)] ?? []) {
        const answered = await send(urls[service], placed, merged(await goodCall(placed), form));
        const fault =
          successFault(placed, answered) ??
          (answered.type === form.headers?.['accept'] || form.headers?.['accept'] === undefined
            ? answerFault(apis[service], placed, answered)
            : `answers with ${answered.type}`);
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
      }
    expect(faults).toEqual([]);
  });

  it('says who is let in', async () => {
    const faults: string[] = [];
    for (const placed of apis[service].operations) {
      const needs = placed.operation['x-needs'];
      if (needs === 'public') continue;
      const keys = ROLE_OF_READERS.includes(needs) ? [null] : [null, readerKey];
      for (const key of keys) {
        const call = exampleCall(placed);
        const headers = key === null ? {} : { authorization: `Bearer ${key}` };
        const answered = await send(urls[service], placed, merged(call, { headers }));
        const wanted = key === null || needsInternal(placed) ? 401 : 403;
        const fault =
          answered.status === wanted
            ? answerFault(apis[service], placed, answered)
            : `answers ${answered.status} instead of ${wanted}`;
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('says which parameters are allowed: those it allows are taken, all others are refused by their name', async () => {
    const faults: string[] = [];
    let asked = 0;
    for (const placed of askedOf(service)) {
      const good = await goodCall(placed);
      for (const { name, in: place, schema, required } of placed.operation.parameters ?? []) {
        if (place !== 'query') continue;
        const values = valuesOf(schema);
        if (required) values.push({ value: '', isGood: false });
        for (const { value, isGood } of values) {
          const call = merged(good, contextOf(name, value), { query: { [name]: value } });
          const answered = await send(urls[service], placed, call);
          asked++;
          const isRefused = answered.status === 400 && answered.json['parameter'] === name;
          if (isRefused === isGood)
            faults.push(
              `${nameOf(service, placed)}: ${name}=${value} is ${isGood ? 'good' : 'bad'}: ${answered.status} ${answered.text.slice(0, 200)}`,
            );
        }
      }
    }
    console.info(`${service}: ${asked} values of parameters asked`);
    expect(faults).toEqual([]);
  });

  it('says which bodies are allowed: those it allows are taken, all others are refused', async () => {
    const faults: string[] = [];
    let asked = 0;
    const api = apis[service];
    for (const placed of askedOf(service)) {
      const { schema, example } = placed.operation.requestBody?.content['application/json'] ?? {};
      if (schema === undefined) continue;
      const good = merged(exampleCall(placed), { headers: credentials(placed, adminKey) });
      for (const { name, value, isGood } of bodyVariants(api, schema, example)) {
        const call = merged(good, { body: JSON.stringify(value) });
        const answered = await send(urls[service], placed, call);
        asked++;
        const isForm = !(
          BEYOND_FORM[kindOf(placed)]?.test(String(answered.json['detail'])) ?? false
        );
        const fault =
          (isForm ? verdictFault(answered, isGood) : null) ?? answerFault(api, placed, answered);
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${name}: ${fault}`);
      }
    }
    console.info(`${service}: ${asked} bodies sent`);
    expect(faults).toEqual([]);
  });
});

/**
 * The operations whose requests are varied. Core and the gateway lead to the same code, whichever is asked; so do older paths. What is handed on to the
 * control plane is in its own document.
 */
function askedOf(service: Service): Placed[] {
  const { paths } = apis.core.document;
  const isAsked = ({ method, path, operation }: Placed) =>
    !/^\/api\/(?!v1\/)/.test(path) &&
    !HANDED_ON.test(path) &&
    !operation.tags.includes('Not available') &&
    !(service === 'query' && paths[path]?.[method.toLowerCase()] !== undefined);
  return apis[service].operations.filter(isAsked);
}

interface AskedValue {
  readonly value: string;
  readonly isGood: boolean;
}

/** Values at and beyond the bounds of a parameter's schema; none where any text will do. */
function valuesOf(schema: Readonly<Record<string, unknown>>): AskedValue[] {
  const good = (...values: unknown[]) =>
    values.map((value) => ({ value: String(value), isGood: true }));
  const bad = (...values: unknown[]) =>
    values.map((value) => ({ value: String(value), isGood: false }));
  const { type, format, enum: words, minimum = 0, maximum } = schema;
  if (type === 'integer') {
    const max = Number(maximum);
    // The largest number of all is asked for nowhere: a position that far would be waited for.
    const most = max < Number.MAX_SAFE_INTEGER ? [max] : [];
    return [...good(minimum, ...most), ...bad(Number(minimum) - 1, BigInt(max) + 1n, '1.5', 'x')];
  }
  if (type === 'boolean') return [...good('true', 'false'), ...bad('maybe')];
  if (Array.isArray(words)) return [...good(...words), ...bad('nonsense')];
  if (format === 'date-time')
    return [
      ...good('2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+01:00'),
      ...bad('2026-13-01T00:00:00Z', 'x'),
    ];
  return [];
}

const LINES: DocumentedCall = {
  headers: { 'content-type': 'application/x-ndjson' },
  body: '{"event_type":"order.placed","entity_id":"order-1003","payload":{}}\n',
};

/** Besides the example: other types of bodies and answers, and no body where none is needed. */
const OTHER_FORMS: Readonly<Record<string, readonly DocumentedCall[]>> = {
  appendBatch: [LINES],
  queryEvents: [
    { headers: { accept: 'application/x-ndjson' }, query: { order: 'position' } },
    { headers: { accept: 'application/vnd.apache.arrow.stream' } },
    { query: { explain: 'true', limit: '1', entity_id: 'order-1001' } },
    { query: { limit: '0' } },
  ],
  takeSnapshot: [{ body: null, headers: { 'content-type': 'application/json' } }],
  getEntityState: [{ query: { as_of_recorded: '2100-01-01T00:00:00Z' } }],
  listProjectionStates: [{ query: { entity_id: 'order-1001' } }],
};

/** What has to stand beside a parameter for it to mean anything. */
function contextOf(name: string, value: string): DocumentedCall {
  if (name === 'group_lines') return LINES;
  // A year has more minutes than one answer has buckets.
  if (name === 'window') return { query: { until: '2026-01-02T00:00:00Z' } };
  const isOfStream = /^(?:from|until)_position$/.test(name) || value === 'position';
  return isOfStream
    ? { query: { order: 'position' }, headers: { accept: 'application/x-ndjson' } }
    : {};
}

/** What a route refuses although its form is right: what it depends on is no matter of a schema. */
const BEYOND_FORM: Readonly<Record<string, RegExp>> = {
  // The other event of the example names no tenant.
  appendBatch: /must name the same tenant_id/,
  // The number of the next version depends on those that are there.
  registerSchema: /the next version of/,
  // There are the projections that there are.
  previewReplay: /There is no projection/,
  // Keys of a projection of the store may be any texts; those of a client's own are ids.
  getProjectionStates: /^Entity id/,
};

/** A body that the schema takes may still be refused for what it asks, but not as a body that is none. */
function verdictFault({ status, json, text }: Answered, isGood: boolean): string | null {
  if (status >= 500) return `answers ${status}: ${text.slice(0, 200)}`;
  const code = String(json['code'] ?? '');
  if (isGood)
    return status >= 400 && MALFORMED.test(code) ? `is good, but ${text.slice(0, 300)}` : null;
  return status >= 400 ? null : `is bad, but taken with ${status}`;
}
