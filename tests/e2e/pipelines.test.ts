/** Pipelines as a client meets them: registered over the gateway or core's port, carried out in their own process, read and followed live. */
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, RunningStore } from '../support/running-store.ts';

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

  it('is listed, before stats of one are taken for a pipeline', async () => {
    const list = await store.ask('/api/v1/pipelines');
    const stats = await store.ask('/api/v1/pipelines/stats');
    expect(list.body.total).toBe(list.body.pipelines.length);
    expect(stats.body.stats.map(({ pipeline_id }: { pipeline_id: string }) => pipeline_id)).toEqual(
      list.body.pipelines.map(({ id }: { id: string }) => id),
    );
  });
});
