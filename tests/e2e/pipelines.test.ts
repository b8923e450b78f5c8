/** Pipelines as a client meets them: registered over the gateway or core's port, carried out in their own process, read and followed live. */
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Answer } from '@allsource/testkit';
import { RunningStore } from '../support/running-store.ts';

interface Arrived {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A place outside: it takes deliveries and answers a look-up. The first try of each delivery fails. */
class Outside {
  readonly arrived: Arrived[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url?.startsWith('/customers/') === true) {
        const key = decodeURIComponent(request.url.slice('/customers/'.length));
        response.writeHead(key === 'nobody' ? 404 : 200).end(JSON.stringify({ tier: `of ${key}` }));
        return;
      }
      const { headers } = request;
      const id = headers['webhook-id'];
      const isFirst = !this.arrived.some((one) => one.headers['webhook-id'] === id);
      this.arrived.push({ headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(isFirst || request.url === '/broken' ? 503 : 204).end();
    });
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

let store: RunningStore;
const outside = new Outside();

beforeAll(async () => {
  await outside.listen();
  store = await RunningStore.start({ ALLSOURCE_PIPELINE_PRIVATE_HOSTS: outside.host });
}, 60_000);

afterAll(async () => {
  await store?.remove();
  await outside.close();
}, 60_000);

async function register(pipeline: object, base = store.url): Promise<string> {
  const answer = await store.post(`${base}/api/v1/pipelines`, { name: 'a pipeline', ...pipeline });
  expect(answer).toMatchObject({ status: 200, body: { enabled: true } });
  return answer.body.pipeline_id as string;
}

async function append(
  ...events: readonly (readonly [type: string, entity: string, payload: unknown])[]
) {
  const answer = await store.post('/api/v1/events/batch', {
    events: events.map(([event_type, entity_id, payload]) => ({ event_type, entity_id, payload })),
  });
  expect(answer.status).toBe(201);
}

async function until(look: () => Promise<Answer>, holds: (answer: Answer) => boolean) {
  for (;;) {
    const answer = await look();
    if (holds(answer)) return answer;
    await sleep(20);
  }
}

describe('a pipeline', () => {
  it('computes a table over the whole log, which is read at once and at the position of each read', async () => {
    await append(['order.placed', 'o-1', { country: 'de', total: 10 }]);
    const id = await register({
      source_event_types: ['order.*'],
      operators: [
        { type: 'filter', field: 'total', op: 'gt', value: 5 },
        { type: 'reduce', field: 'total', function: 'sum', group_by: 'country' },
      ],
      output: 'table',
    });
    await append(
      ['order.placed', 'o-2', { country: 'fr', total: 20 }],
      ['order.placed', 'o-3', { country: 'de', total: 1 }],
      ['order.placed', 'o-4', { country: 'de', total: 7.5 }],
      ['other.thing', 'x', { country: 'de', total: 100 }],
    );
    const page = await store.ask(`/api/v1/pipelines/${id}/results`);
    expect(page.body).toMatchObject({
      pipeline_id: id,
      total: 2,
      has_more: false,
      results: [
        { key: 'de', value: { group: 'de', function: 'sum', value: 17.5 } },
        { key: 'fr', value: { group: 'fr', function: 'sum', value: 20 } },
      ],
    });
    const one = await store.ask(`/api/pipelines/${id}/results?key=fr`);
    expect(one.body.result.value.value).toBe(20);
    const stats = await store.ask(`/api/v1/pipelines/${id}/stats?consistency=strong`);
    expect(stats.body).toMatchObject({
      pipeline_id: id,
      events_processed: 4,
      events_filtered: 1,
      events_failed: 0,
      last_processed: expect.any(String),
      status: 'running',
    });
  });

  it('writes events that say where they come from, which other pipelines take up', async () => {
    const emitting = await register(
      {
        source_event_types: ['sensor.read'],
        operators: [{ type: 'map', field: 'place', transform: 'uppercase' }],
        output: 'sensor.read.clean',
      },
      store.coreUrl,
    );
    const counting = await register({
      source_event_types: ['sensor.read.clean'],
      operators: [{ type: 'reduce', field: 'n', function: 'count', group_by: 'place' }],
      output: { kind: 'table' },
    });
    await append(
      ['sensor.read', 's-1', { place: 'attic', n: 12345678901234567890n.toString(), exact: 1 }],
      ['sensor.read', 's-2', { place: 'cellar' }],
    );
    const written = await until(
      () => store.ask('/api/v1/events/query?event_type=sensor.read.clean'),
      ({ body }) => body.total_count >= 2,
    );
    expect(written.body.events).toMatchObject([
      {
        entity_id: 's-1',
        payload: { place: 'ATTIC' },
        metadata: { causation_id: expect.any(String), _pipeline: { id: emitting, hops: 1 } },
      },
      { entity_id: 's-2', payload: { place: 'CELLAR' } },
    ]);
    const rows = await store.ask(`/api/v1/pipelines/${counting}/results`);
    expect(
      rows.body.results.map(({ key, value }: { key: string; value: { value: number } }) => [
        key,
        value.value,
      ]),
    ).toEqual([
      ['ATTIC', 1],
      ['CELLAR', 1],
    ]);
  });

  it('is refused where it would feed itself, also by way of another one', async () => {
    const itself = { name: 'n', source_event_types: ['loop.*'], operators: [], output: 'loop.a' };
    const refused = await store.post('/api/v1/pipelines', itself);
    expect(refused).toMatchObject({ status: 422, body: { error: { code: 'invalid_body' } } });
    await register({ source_event_types: ['ring.a'], operators: [], output: 'ring.b' });
    const back = { name: 'n', source_event_types: ['ring.b'], operators: [], output: 'ring.a' };
    expect((await store.post('/api/v1/pipelines', back)).text).toContain(
      'ring.a, which is read to write ring.b',
    );
  });

  it('delivers to a webhook with a signature and the same id at each try', async () => {
    const answer = await store.post('/api/v1/pipelines', {
      name: 'to a webhook',
      source_event_types: ['bill.sent'],
      operators: [
        {
          type: 'enrich',
          source: `http://${outside.host}/customers/{key}`,
          fields: ['tier'],
          key: 'customer',
        },
      ],
      output: { kind: 'webhook', url: `http://${outside.host}/hook`, first_delay_ms: 10 },
    });
    const { pipeline_id: id, webhook_secrets: secrets } = answer.body;
    const shown = await store.ask(`/api/v1/pipelines/${id}`);
    expect(shown.text).not.toContain('whsec_');
    await append(
      ['bill.sent', 'b-1', { customer: 'ann/1' }],
      ['bill.sent', 'b-2', { customer: 'nobody' }],
    );
    await until(
      () => store.ask(`/api/v1/pipelines/${id}/stats`),
      ({ body }) => body.outputs_delivered === 2,
    );
    const outputs = outside.arrived.map(({ body }) => JSON.parse(body).data.output);
    expect(outputs).toContainEqual({ customer: 'ann/1', tier: 'of ann/1' });
    expect(outputs).toContainEqual({ customer: 'nobody', tier: null });
    expect(new Set(outside.arrived.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
    expect(outside.arrived).toHaveLength(4);
    for (const { headers, body } of outside.arrived) {
      const signed = [headers['webhook-id'], headers['webhook-timestamp'], body].join('.');
      const key = Buffer.from(secrets[''].slice('whsec_'.length), 'base64');
      const signature = createHmac('sha256', key).update(signed).digest('base64');
      expect(headers['webhook-signature']).toBe(`v1,${signature}`);
    }
  });

  it('keeps what cannot be delivered among the dead letters, where it can be tried again', async () => {
    const id = await register({
      source_event_types: ['bill.lost'],
      operators: [],
      output: {
        kind: 'webhook',
        url: `http://${outside.host}/broken`,
        attempts: 2,
        first_delay_ms: 1,
      },
    });
    await append(['bill.lost', 'b-9', { n: 1 }]);
    const dead = await until(
      () => store.ask(`/api/v1/pipelines/${id}/dead-letters`),
      ({ body }) => body.total === 1,
    );
    expect(dead.body.dead_letters).toMatchObject([
      {
        kind: 'webhook',
        attempts: 2,
        error: 'The webhook answered 503.',
        body: { data: { output: { n: 1 } } },
      },
    ]);
    const before = outside.arrived.length;
    const retried = await store.post(`/api/v1/pipelines/${id}/dead-letters/retry`, {});
    expect(retried.body).toMatchObject({ retried: 1 });
    await until(
      () => store.ask(`/api/v1/pipelines/${id}/dead-letters`),
      ({ body }) => body.total === 1 && outside.arrived.length === before + 2,
    );
  });

  it('refuses places outside that the operator has not allowed', async () => {
    for (const url of [
      'http://169.254.169.254/latest',
      'http://localhost:1/x',
      'https://example.com/',
    ]) {
      const pipeline = { name: 'n', operators: [], output: `webhook:${url}` };
      const refused = await store.post('/api/v1/pipelines', pipeline);
      expect(refused).toMatchObject({ status: 422, body: { error: { code: 'invalid_body' } } });
      expect(refused.text).toContain('ALLSOURCE_PIPELINE_HTTP_HOSTS');
    }
  });

  it('is followed live, told of a reset, computed anew, and removed', async () => {
    const id = await register({ source_event_types: ['tick'], operators: [], output: 'table' });
    const gone = new AbortController();
    const response = await fetch(`${store.url}/api/v1/pipelines/${id}/results`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${store.apiKey}` },
      signal: gone.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    let seen = '';
    const read = async (wanted: RegExp) => {
      while (!wanted.test(seen)) {
        const { value, done } = await reader.read();
        if (done) throw new TypeError(`the stream has ended: ${seen}`);
        seen += value;
      }
    };
    await append(['tick', 't-1', { n: 1 }]);
    await read(/"key":"t-1","value":\{"n":1\}/);
    await append(['tick', 't-1', { n: 2 }], ['tick', 't-2', { n: 3 }]);
    await read(/"key":"t-2","value":\{"n":3\}/);
    expect(seen).toContain('"key":"t-1","value":{"n":2}');
    const reset = await store.ask(`/api/v1/pipelines/${id}/reset`, { method: 'PUT' });
    expect(reset.body).toMatchObject({ pipeline_id: id, reset: true, generation: 2 });
    await read(/event: reset/);
    gone.abort();
    const again = await store.ask(`/api/v1/pipelines/${id}/results`);
    expect(again.body).toMatchObject({ generation: 2, total: 2 });
    const removed = await store.ask(`/api/v1/pipelines/${id}`, { method: 'DELETE' });
    expect(removed.body).toEqual({ pipeline_id: id, removed: true });
    expect((await store.ask(`/api/v1/pipelines/${id}`)).status).toBe(404);
  });

  it('looks up the rows of another one and the states of projections, and sends its outputs where a branch says', async () => {
    const rates = await register({
      source_event_types: ['rate.set'],
      operators: [],
      output: { kind: 'table', key: 'currency' },
    });
    await append(
      ['rate.set', 'r-1', { currency: 'usd', rate: 1.25 }],
      ['user.named', 'u-1', { name: 'Ann' }],
    );
    await store.ask(`/api/v1/pipelines/${rates}/results`);
    await store.ask('/api/v1/entities/u-1/snapshot');
    const routed = await register({
      source_event_types: ['sale'],
      operators: [
        { type: 'enrich', source: `pipeline:${rates}`, key: 'currency', fields: ['rate'] },
        {
          type: 'enrich',
          source: 'projection:entity_snapshots',
          key: 'user',
          fields: ['name'],
          into: 'user_state',
        },
        { type: 'branch', field: 'size', branches: { big: 'alarm', small: 'kept' } },
      ],
      output: { kind: 'branches', branches: { alarm: 'emit:sale.big', kept: 'table' } },
    });
    await append(
      ['sale', 's-1', { currency: 'usd', user: 'u-1', size: 'big' }],
      ['sale', 's-2', { currency: 'eur', user: 'u-2', size: 'small' }],
      ['sale', 's-3', { size: 'other' }],
    );
    const rows = await store.ask(`/api/v1/pipelines/${routed}/results`);
    expect(rows.body.results).toMatchObject([
      { key: 's-2', value: { rate: null, user_state: { name: null }, _route: 'kept' } },
    ]);
    const alarms = await until(
      () => store.ask('/api/v1/events/query?event_type=sale.big'),
      ({ body }) => body.total_count > 0,
    );
    expect(alarms.body.events).toMatchObject([
      { entity_id: 's-1', payload: { rate: 1.25, user_state: { name: 'Ann' }, _route: 'alarm' } },
    ]);
    const stats = await store.ask(`/api/v1/pipelines/${routed}/stats?consistency=strong`);
    expect(stats.body).toMatchObject({ events_processed: 3, events_filtered: 1, outputs: 2 });
  });

  it('keeps what a strict schema refuses among the dead letters, and goes on', async () => {
    const schema = { type: 'object', properties: { n: { type: 'number' } } };
    await store.post('/api/v1/schemas', { subject: 'checked', schema });
    const path = '/api/v1/tenants/default/schema-enforcement';
    const strict = {
      method: 'PUT',
      body: JSON.stringify({ schema_enforcement: 'strict' }),
      headers: { 'content-type': 'application/json' },
    };
    expect((await store.ask(path, strict)).status).toBe(200);
    const id = await register({ source_event_types: ['raw'], operators: [], output: 'checked' });
    await append(['raw', 'x-1', { n: 1 }], ['raw', 'x-2', { n: 'two' }], ['raw', 'x-3', { n: 3 }]);
    const stats = await until(
      () => store.ask(`/api/v1/pipelines/${id}/stats`),
      ({ body }) => body.outputs_emitted + body.dead_letters === 3,
    );
    expect(stats.body).toMatchObject({ outputs_emitted: 2, dead_letters: 1 });
    const dead = await store.ask(`/api/v1/pipelines/${id}/dead-letters`);
    expect(dead.body.dead_letters).toMatchObject([
      { kind: 'emit', error: expect.stringContaining('schema'), body: { entity_id: 'x-2' } },
    ]);
    const written = await store.ask('/api/v1/events/query?event_type=checked');
    expect(written.body.events.map(({ entity_id }: { entity_id: string }) => entity_id)).toEqual([
      'x-1',
      'x-3',
    ]);
  });

  it('keeps its place while it is disabled, and what it has come to when only its name is changed', async () => {
    const config = { name: 'one', source_event_types: ['step'], operators: [], output: 'table' };
    const id = await register(config);
    await append(['step', 'a', { n: 1 }]);
    expect((await store.ask(`/api/v1/pipelines/${id}/results`)).body.total).toBe(1);
    const put = (change: object) =>
      store.ask(`/api/v1/pipelines/${id}`, {
        method: 'PUT',
        body: JSON.stringify({ ...config, ...change }),
      });
    expect((await put({ enabled: false })).body).toMatchObject({ enabled: false, generation: 1 });
    await append(['step', 'b', { n: 2 }]);
    const halted = await store.ask(`/api/v1/pipelines/${id}/stats`);
    expect(halted.body).toMatchObject({ status: 'disabled', events_processed: 1 });
    expect((await store.ask(`/api/v1/pipelines/${id}/results`)).body.total).toBe(1);
    expect((await put({ name: 'another' })).body).toMatchObject({ name: 'another', generation: 1 });
    expect((await store.ask(`/api/v1/pipelines/${id}/results`)).body.total).toBe(2);
    const changed = await put({ operators: [{ type: 'filter', field: 'n', op: 'gt', value: 1 }] });
    expect(changed.body.generation).toBe(2);
    expect((await store.ask(`/api/v1/pipelines/${id}/results`)).body.results).toMatchObject([
      { key: 'b', value: { n: 2 } },
    ]);
  });

  it('belongs to its tenant alone, and is managed by those who may', async () => {
    const id = await register({ source_event_types: ['mine'], operators: [], output: 'table' });
    await store.post('/api/v1/tenants', { id: 'other', name: 'other' });
    const keyOf = async (tenant_id: string, role: string) => {
      const made = await store.post('/api/v1/auth/api-keys', { name: role, role, tenant_id });
      return { authorization: `Bearer ${made.body.key}`, 'content-type': 'application/json' };
    };
    const other = await keyOf('other', 'developer');
    const one = `/api/v1/pipelines/${id}`;
    const reads = ['', '/stats', '/results', '/failures', '/dead-letters'];
    const asked = reads.map((path) => ['GET', one + path]);
    asked.push(['PUT', `${one}/reset`], ['POST', `${one}/dead-letters/retry`], ['DELETE', one]);
    const nobodys = '/api/v1/pipelines/00000000-0000-4000-8000-00000000dead';
    for (const [method = '', path = ''] of asked) {
      const answer = await store.ask(path, { method, headers: other });
      const none = await store.ask(path.replace(one, nobodys), { method, headers: other });
      expect([path, answer.status, none.status]).toEqual([path, 404, 404]);
      expect(answer.body.error.message.replace(id, '')).toBe(
        none.body.error.message.replace(nobodys.slice(18), ''),
      );
    }
    expect((await store.ask('/api/v1/pipelines', { headers: other })).body).toEqual({
      pipelines: [],
      total: 0,
    });
    expect((await store.ask('/api/v1/pipelines/stats', { headers: other })).body).toEqual({
      stats: [],
      total: 0,
    });
    const reader = await keyOf('default', 'readonly');
    expect((await store.ask(one, { headers: reader })).status).toBe(200);
    for (const base of [store.url, store.coreUrl])
      expect((await store.ask(base + one, { method: 'DELETE', headers: reader })).status).toBe(403);
  });

  it('is listed, before stats of one are taken for a pipeline', async () => {
    const list = await store.ask('/api/v1/pipelines');
    const stats = await store.ask('/api/v1/pipelines/stats');
    expect(list.body.total).toBe(list.body.pipelines.length);
    expect(stats.body.stats.map(({ pipeline_id }: { pipeline_id: string }) => pipeline_id)).toEqual(
      list.body.pipelines.map(({ id }: { id: string }) => id),
    );
  });
});
