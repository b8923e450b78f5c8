/**
 * The OpenAPI documents against the running store: every operation of every service is called as its document describes it, and the answers are held against
 * their schemas, with no room for members that a schema does not name. What a document refuses the service refuses, and what it allows the service allows.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiDocument, Placed } from '../support/openapi/api-document.ts';
import { bodyVariants } from '../support/openapi/body-variants.ts';
import {
  type Answered,
  answerFault,
  type DocumentedCall,
  exampleCall,
  merged,
} from '../support/openapi/documented-call.ts';
import {
  type Asker,
  DocumentedStore,
  HANDED_ON,
  kindOf,
  type Service,
  SERVICES,
  successFault,
} from '../support/openapi/documented-store.ts';
import { atOnce } from '../support/openapi/at-once.ts';
import { contextOf, LINES, valuesOf } from '../support/openapi/parameter-values.ts';

/** Codes that say that a request is not one. */
const MALFORMED = /^(?:malformed_|invalid_|json_too_deep|unsupported_media_type)/;
const ALLOWED_TO_READERS = ['read', 'metrics', 'authenticated'];
const OLDER_PATH = /^\/api\/(?!v1\/)/;

/** What the Python SDK sends. The number makes the name a new one for each path. */
const OF_OLDER_CLIENTS = {
  name: 'of-older-clients-{n}',
  definition: '(state, event) => ({ count: (state.count ?? 0) + 1 })',
  version: 1,
  initial_state: { count: 0 },
};

/** Besides the example: other types of bodies and answers, and no body where none is needed. */
const OTHER_FORMS: Readonly<Record<string, readonly DocumentedCall[]>> = {
  appendBatch: [LINES],
  queryEvents: [
    { headers: { accept: 'application/x-ndjson' }, query: { order: 'position' } },
    { headers: { accept: 'application/vnd.apache.arrow.stream' } },
    { query: { explain: 'true', limit: '1', entity_id: 'order-1001' } },
    { query: { limit: '0' } },
    { query: { upcast: 'true', entity_id: 'order-1001' } },
  ],
  takeSnapshot: [{ body: null }],
  createProjection: [{ body: JSON.stringify(OF_OLDER_CLIENTS) }],
  getEntityState: [{ query: { as_of_recorded: '2100-01-01T00:00:00Z' } }],
  listProjectionStates: [{ query: { entity_id: 'order-1001' } }],
};

/** What a route refuses although its form is right: what it depends on is no matter of a schema. */
const BEYOND_FORM: Readonly<Record<string, RegExp>> = {
  // The example has a condition on the type already; a cursor is one that the service has named, and the text of a filter an object.
  queryByDocument: /two conditions on|'cursor' cannot be used|'payload_filter' is/,
  // The other event of the example names no tenant.
  appendBatch: /must name the same tenant_id/,
  // The number of the next version depends on those that are there.
  registerSchema: /the next version of/,
  // There are the projections that there are.
  previewReplay: /There is no projection/,
  // What a definition, an output or an operator needs depends on its kind.
  createProjection: /'definition/,
  updateProjection: /'definition/,
  putProjection: /'definition/,
  registerPipeline: /'(?:operators|output|kind|type)/,
  updatePipeline: /'(?:operators|output|kind|type)/,
  // A step must lead on from a version that is there, and not twice from one.
  setUpcaster: /version|mapping|path says/,
  setUpcasters: /version|mapping|step/,
  // Keys of a projection of the store may be any texts; those of a client's own are ids.
  getProjectionStates: /^Entity id/,
};

let world: DocumentedStore;
beforeAll(async () => {
  world = await DocumentedStore.start();
}, 60_000);
afterAll(() => world?.store.remove(), 60_000);

function nameOf(service: Service, { method, path }: Placed): string {
  return `${service}: ${method} ${path}`;
}

function readsOf(operations: readonly Placed[]): Placed[] {
  return operations.filter(({ method }) => method === 'GET');
}

/** What changes something; what deletes comes last. */
function changesInOrder(operations: readonly Placed[]): Placed[] {
  const order = ['POST', 'PUT', 'PATCH', 'DELETE'];
  return operations
    .filter(({ method }) => order.includes(method))
    .toSorted((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
}

/**
 * The operations whose requests are varied. Core and the gateway lead to the same code, whichever is asked; so do older paths. What is handed on to the
 * control plane is in its own document.
 */
function variedOf(service: Service): Placed[] {
  const { paths } = world.api('core').document;
  const isVaried = ({ method, path, operation }: Placed) =>
    !OLDER_PATH.test(path) &&
    !HANDED_ON.test(path) &&
    !operation.tags.includes('Not available') &&
    // Whatever it takes is carried out: only the query service calls it, with what it has checked.
    operation.operationId !== 'setDefinition' &&
    !(service === 'query' && paths[path]?.[method.toLowerCase()] !== undefined);
  return world.api(service).operations.filter(isVaried);
}

describe.each(SERVICES)('the OpenAPI document of %s', (service) => {
  it('is valid, and names every operation once', async () => {
    const { document, operations } = world.api(service);
    const copy = structuredClone(document) as unknown as Record<string, unknown>;
    expect(await new Validator().validate(copy)).toEqual({ valid: true });
    // The validation holds the event loop for seconds, and idle connections end meanwhile: that must be seen before one is used again.
    await nextTurn();
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  });

  it('has a page that loads nothing and runs nothing', async () => {
    const response = await fetch(`${world.urlOf(service)}/docs`);
    const policy = response.headers.get('content-security-policy') ?? '';
    const page = await response.text();
    const [, style = ''] = /<style>([^<]*)<\/style>/.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).toContain(`style-src 'sha256-${hash}';`);
    expect(page).not.toMatch(/<(?:script|img|link|iframe|object)\b|\bon\w+=|style="|https?:\/\//i);
    const shown = world.api(service).operations.filter(({ path }) => !OLDER_PATH.test(path));
    const ids = shown.map(({ operation }) => operation.operationId);
    expect(ids.filter((id) => !page.includes(`id="${id}"`))).toEqual([]);
  });

  it('documents every route', () => {
    const missing = world
      .api(service)
      .operations.filter(({ operation }) => operation['x-undocumented'] === true);
    expect(missing.map((placed) => nameOf(service, placed))).toEqual([]);
  });

  it('has examples that work, and schemas that the answers keep', async () => {
    const faults: string[] = [];
    const api = world.api(service);
    const check = async (placed: Placed) => {
      const call = await world.goodCall(placed);
      let answered = await world.send(service, placed, call);
      // A projection that was declared a moment ago is still being built.
      while (answered.status === 503 && answered.text.includes('"read_behind"')) {
        await sleep(20);
        answered = await world.send(service, placed, call);
      }
      const fault = successFault(placed, answered) ?? answerFault(api, placed, answered);
      if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
    };
    await atOnce(readsOf(api.operations), check);
    for (const placed of changesInOrder(api.operations)) await check(placed);
    expect(faults).toEqual([]);
  });

  it('has the right schemas for the other forms of a request and of its answer', async () => {
    const faults: string[] = [];
    const api = world.api(service);
    for (const placed of api.operations)
      for (const given of OTHER_FORMS[kindOf(placed)] ?? []) {
        const form = numbered(given);
        const call = merged(await world.goodCall(placed), form);
        const answered = await world.send(service, placed, call);
        const fault =
          bodyFault(api, placed, form) ??
          successFault(placed, answered) ??
          formFault(api, { placed, form, answered });
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
      }
    expect(faults).toEqual([]);
  });

  it('says who is let in', async () => {
    const faults: string[] = [];
    const api = world.api(service);
    for (const placed of api.operations)
      for (const [asker, status] of refusedAskers(placed)) {
        const call = merged(exampleCall(placed), world.credentials(placed, asker));
        const answered = await world.send(service, placed, call);
        const fault =
          answered.status === status
            ? answerFault(api, placed, answered)
            : `answers ${answered.status} to ${asker} instead of ${status}`;
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${fault}`);
      }
    expect(faults).toEqual([]);
  });

  it('says which parameters are allowed: those it allows are taken, all others are refused by their name', async () => {
    const faults: string[] = [];
    let asked = 0;
    for (const placed of variedOf(service)) {
      const good = await world.goodCall(placed);
      await atOnce(parameterValues(placed), async ({ name, value, isGood }) => {
        const call = merged(good, contextOf(name, value), { query: { [name]: value } });
        const { status, json, text } = await world.send(service, placed, call);
        asked++;
        const isRefused = status === 400 && json['parameter'] === name;
        if (isRefused !== isGood) return;
        const what = `${name}=${value} is ${isGood ? 'good' : 'bad'}`;
        faults.push(`${nameOf(service, placed)}: ${what}, but ${status} ${text.slice(0, 200)}`);
      });
    }
    console.info(`${service}: ${asked} values of parameters asked`);
    expect(faults).toEqual([]);
  });

  it('says which bodies are allowed: those it allows are taken, all others are refused', async () => {
    const faults: string[] = [];
    let asked = 0;
    const api = world.api(service);
    for (const placed of variedOf(service)) {
      const { schema, example } = placed.operation.requestBody?.content['application/json'] ?? {};
      if (schema === undefined) continue;
      const good = merged(exampleCall(placed), world.credentials(placed, 'admin'));
      await atOnce(bodyVariants(api, schema, example), async ({ name, value, isGood }) => {
        const call = merged(good, { body: JSON.stringify(value) });
        const answered = await world.send(service, placed, call);
        asked++;
        const fault = verdictFault(placed, answered, isGood) ?? answerFault(api, placed, answered);
        if (fault !== null) faults.push(`${nameOf(service, placed)}: ${name}: ${fault}`);
      });
    }
    console.info(`${service}: ${asked} bodies sent`);
    expect(faults).toEqual([]);
  });
});

/** Who is refused, and how. */
function refusedAskers({ operation }: Placed): readonly (readonly [Asker, number])[] {
  const needs = operation['x-needs'];
  if (needs === 'public') return [];
  if (needs === 'internal')
    return [
      ['nobody', 401],
      ['reader', 401],
    ];
  return ALLOWED_TO_READERS.includes(needs)
    ? [['nobody', 401]]
    : [
        ['nobody', 401],
        ['reader', 403],
      ];
}

function parameterValues({ operation }: Placed) {
  const inQuery = (operation.parameters ?? []).filter(({ in: place }) => place === 'query');
  return inQuery.flatMap(({ name, schema, required }) => [
    ...valuesOf(schema).map((one) => ({ name, ...one })),
    ...(required ? [{ name, value: '', isGood: false }] : []),
  ]);
}

interface FormAnswered {
  readonly placed: Placed;
  readonly form: DocumentedCall;
  readonly answered: Answered;
}

let forms = 0;

function numbered(form: DocumentedCall): DocumentedCall {
  forms += 1;
  const { body } = form;
  return typeof body === 'string' ? { ...form, body: body.replace('{n}', String(forms)) } : form;
}

/** What the schema has against the JSON body of a form. */
function bodyFault(api: ApiDocument, { operation }: Placed, { body }: DocumentedCall) {
  const { schema } = operation.requestBody?.content['application/json'] ?? {};
  if (schema === undefined || typeof body !== 'string' || !body.startsWith('{')) return null;
  if (body.includes('\n')) return null;
  return api.requestFault(schema, JSON.parse(body));
}

function formFault(api: ApiDocument, { placed, form, answered }: FormAnswered): string | null {
  const wanted = form.headers?.['accept'] ?? answered.type;
  if (answered.type !== wanted) return `answers with ${answered.type} instead of ${wanted}`;
  return answerFault(api, placed, answered);
}

/** A body that the schema takes may still be refused for what it asks, but not as a body that is none. */
function verdictFault(placed: Placed, { status, json, text }: Answered, isGood: boolean) {
  if (status >= 500) return `answers ${status}: ${text.slice(0, 200)}`;
  if (!isGood) return status >= 400 ? null : `is bad, but taken with ${status}`;
  const { code, detail } = json as { readonly code?: string; readonly detail?: string };
  if (status < 400 || !MALFORMED.test(code ?? '')) return null;
  const isRight = BEYOND_FORM[kindOf(placed)]?.test(detail ?? '') ?? false;
  return isRight ? null : `is good, but refused: ${text.slice(0, 300)}`;
}
