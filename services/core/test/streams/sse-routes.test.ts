import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Json } from '@allsource/testkit';
import { KEYS, TestCore, type TestCoreOptions } from '../support/test-core.ts';

interface SseEvent {
  readonly id: number;
  readonly data: Json;
}

/** A client of server-sent events, read as the HTML standard says, as far as the server uses it. */
class SseClient {
  readonly events: SseEvent[] = [];
  lastEventId = '';
  comments = 0;
  hasEnded = false;
  readonly response: IncomingMessage;
  #text = '';
  #onChange: () => void = () => {};

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#takeBlocks();
      this.#onChange();
    });
    const end = () => {
      this.hasEnded = true;
      this.#onChange();
    };
    response.once('close', end);
    response.on('error', end);
  }

  #takeBlocks(): void {
    for (let end = this.#text.indexOf('\n\n'); end !== -1; end = this.#text.indexOf('\n\n')) {
      this.#takeBlock(this.#text.slice(0, end).split('\n'));
      this.#text = this.#text.slice(end + 2);
    }
  }

  #takeBlock(lines: string[]): void {
    const data: string[] = [];
    for (const line of lines) {
      if (line.startsWith(':')) this.comments += 1;
      else if (line.startsWith('id: ')) this.lastEventId = line.slice(4);
      else if (line.startsWith('data: ')) data.push(line.slice(6));
      else if (!line.startsWith('retry: ')) throw new RangeError(`unexpected line ${line}`);
    }
    if (data.length === 0) return;
    this.events.push({ id: Number(this.lastEventId), data: JSON.parse(data.join('\n')) });
  }

  get numbers(): number[] {
    return this.events.map(({ data }) => data.payload.n);
  }

  async until(condition: (client: SseClient) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  close(): void {
    this.response.destroy();
  }
}

function upTo(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function numbered(n: number, type = 'test.event') {
  return { type, entity: `entity-${n % 3}`, payload: `{"n":${n}}` };
}

let core: TestCore;
const clients: SseClient[] = [];

async function start(options: TestCoreOptions = {}): Promise<void> {
  core = await TestCore.start(options);
}

function open(
  query = '',
  { key = KEYS.acme, lastEventId }: { readonly key?: string; readonly lastEventId?: string } = {},
): Promise<SseClient> {
  return new Promise((resolve, reject) => {
    const headers = {
      'x-api-key': key,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const request = httpRequest(`${core.url}/api/v1/events/sse${query}`, { headers });
    request.once('error', reject);
    request.once('response', (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        reject(new RangeError(String(response.statusCode)));
        return;
      }
      const client = new SseClient(response);
      clients.push(client);
      resolve(client);
    });
    request.end();
  });
}

describe('server-sent events', () => {
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await core.close();
  });

  it('come live only without a position, each with its position as id', async () => {
    await start();
    core.log.append('acme', [numbered(0)]);
    const client = await open();
    expect(client.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await client.until(({ lastEventId }) => lastEventId === String(core.log.head));
    core.log.append('globex', [numbered(1)]);
    core.log.append('acme', [numbered(2)]);
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]).toMatchObject({
      id: core.log.head,
      data: { position: core.log.head, event_type: 'test.event', payload: { n: 2 }, version: 1 },
    });
  });

  it('come from the beginning with from=0, then live, each once and in order', async () => {
    await start();
    for (let i = 0; i < 2_000; i++) core.log.append('acme', [numbered(i)]);
    const client = await open('?from=0');
    for (let i = 2_000; i < 5_000; i++) {
      core.log.append('acme', [numbered(i)]);
      if (i % 13 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until(({ events }) => events.length === 5_000);
    expect(client.numbers).toEqual(upTo(5_000));
  });

  it('go on after the last event id, which counts more than the URL', async () => {
    await start();
    const frame = core.log.append('acme', [numbered(0), numbered(1), numbered(2)]);
    const byUrl = await open(`?from=${frame.position + 1}`);
    const byHeader = await open('?from=0', { lastEventId: String(frame.position) });
    core.log.append('acme', [numbered(3)]);
    await byUrl.until(({ events }) => events.length === 2);
    await byHeader.until(({ events }) => events.length === 3);
    expect(byUrl.numbers).toEqual([2, 3]);
    expect(byHeader.numbers).toEqual([1, 2, 3]);
  });

  it('survive being cut off again and again: with the last event id nothing is lost or repeated', async () => {
    await start();
    const seen: number[] = [];
    let lastEventId = '0';
    const appending = (async () => {
      for (let i = 0; i < 1_000; i++) {
        core.log.append('acme', [numbered(i)]);
        if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    while (seen.length < 1_000) {
      const client = await open('', { lastEventId });
      await client.until(({ events }) => events.length > 0);
      client.close();
      await client.until(({ hasEnded }) => hasEnded);
      seen.push(...client.numbers);
      lastEventId = client.lastEventId;
    }
    await appending;
    expect(seen).toEqual(upTo(1_000));
  });

  it('are filtered by type and entity', async () => {
    await start();
    const types = await open('?from=0&event_type=order.*&event_type=a.b,c.d');
    const entity = await open('?from=0&entity_id=entity-1');
    core.log.append('acme', [
      numbered(0, 'order.placed'),
      numbered(1, 'noise'),
      numbered(2, 'a.b'),
      numbered(3, 'a.b.c'),
      numbered(4, 'c.d'),
    ]);
    await types.until(({ events }) => events.length === 3);
    await entity.until(({ events }) => events.length === 2);
    expect(types.numbers).toEqual([0, 2, 4]);
    expect(entity.numbers).toEqual([1, 4]);
  });

  it('carry payloads with line breaks as the same JSON', async () => {
    await start();
    const client = await open();
    core.log.append('acme', [{ payload: '{\n  "n": 1,\r\n\r"text":"a\\nb"\n}' }]);
    await client.until(({ events }) => events.length === 1);
    expect(client.events[0]?.data.payload).toEqual({ n: 1, text: 'a\nb' });
  });

  it('have heartbeats that move the last event id on over what was filtered out', async () => {
    await start({ tickMs: 10, heartbeatMs: 20 });
    const client = await open('?event_type=rare');
    core.log.append('acme', [numbered(0), numbered(1)]);
    await client.until(({ lastEventId }) => lastEventId === String(core.log.head));
    await client.until(({ comments }) => comments > 3);
    expect(client.events).toEqual([]);
    const resumed = await open('?event_type=rare', { lastEventId: client.lastEventId });
    core.log.append('acme', [numbered(2, 'rare')]);
    await resumed.until(({ events }) => events.length === 1);
  });

  it('wait for a slow client instead of keeping its events, and lose nothing', async () => {
    await start();
    const client = await open('?from=0');
    client.response.pause();
    const text = 'x'.repeat(20_000);
    for (let i = 0; i < 2_000; i++)
      core.log.append('acme', [{ payload: `{"n":${i},"text":"${text}"}` }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(core.log.framesRead).toBeLessThan(1_500);
    client.response.resume();
    await client.until(({ events }) => events.length === 2_000);
    expect(client.numbers).toEqual(upTo(2_000));
  });

  it('are refused for positions that make no sense, and without a key', async () => {
    await start();
    for (const query of ['?from=x', '?from=-1', `?from=${core.log.head + 1}`])
      await expect(open(query)).rejects.toThrow('400');
    await expect(open('', { lastEventId: 'x' })).rejects.toThrow('400');
    await expect(open('', { key: 'wrong' })).rejects.toThrow('401');
    const many = upTo(101).map((n) => `n${n}`);
    await expect(open(`?event_type=${many.join(',')}`)).rejects.toThrow('400');
  });

  it('are limited in number, together with WebSockets', async () => {
    await start({ connectionsMax: 1 });
    const client = await open();
    await expect(open()).rejects.toThrow('503');
    client.close();
    while (core.connections.count > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await open();
  });

  it('end when the key is revoked, and when the service stops', async () => {
    await start({ tickMs: 10 });
    await core.addKey('short-lived', 'acme', { role: 'readonly' });
    const revoked = await open('', { key: 'short-lived' });
    const staying = await open();
    await core.revokeKey('short-lived');
    await revoked.until(({ hasEnded }) => hasEnded);
    expect(staying.hasEnded).toBe(false);
    await core.connections.close();
    await staying.until(({ hasEnded }) => hasEnded);
    expect(staying.response.complete).toBe(true);
    expect(core.log.listenerCount).toBe(0);
  });
});
