import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FeedDecoder, type FeedMessage, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { INTERNAL_TOKEN, KEYS, TestCore } from '../support/test-core.ts';

/** A reader of the feed over a real socket. */
class FeedClient {
  readonly messages: FeedMessage[] = [];
  response: IncomingMessage | null = null;
  hasEnded = false;
  lastPosition = 0;
  readonly #decoder = new FeedDecoder();
  #onMessage: () => void = () => {};

  static open(core: TestCore, query: string): Promise<FeedClient> {
    const client = new FeedClient();
    return new Promise((resolve, reject) => {
      const request = httpRequest(`${core.url}/internal/v1/feed?${query}`, {
        headers: { [INTERNAL_TOKEN_HEADER]: INTERNAL_TOKEN },
      });
      request.once('error', reject);
      request.once('response', (response) => {
        client.#read(response);
        resolve(client);
      });
      request.end();
    });
  }

  #read(response: IncomingMessage): void {
    this.response = response;
    response.on('data', (chunk: Buffer) => {
      for (const message of this.#decoder.push(chunk)) {
        this.messages.push(message);
        if (message.kind === 'frame') this.lastPosition = message.frame.lastPosition;
      }
      this.#onMessage();
    });
    const end = () => {
      this.hasEnded = true;
      this.#onMessage();
    };
    response.once('end', end);
    response.once('close', end);
    response.on('error', end);
  }

  async until(condition: (client: FeedClient) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#onMessage = resolve;
      });
    }
  }

  get positions(): number[] {
    return this.messages.flatMap((message) =>
      message.kind === 'frame' ? [...message.frame.events()].map((event) => event.position) : [],
    );
  }

  get heads(): number[] {
    return this.messages.flatMap((message) => (message.kind === 'head' ? [message.head] : []));
  }

  close(): void {
    this.response?.destroy();
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

describe('the feed', () => {
  let core: TestCore;

  beforeEach(async () => {
    core = await TestCore.start();
  });

  afterEach(() => core.close());

  it('serves only callers with the internal token', async () => {
    const answer = await core.ask(KEYS.admin, '/internal/v1/feed?from=1');
    expect(answer.status).toBe(401);
    expect((await core.ask(KEYS.admin, '/internal/v1/head')).status).toBe(401);
  });

  it('tells the head and the log', async () => {
    const response = await fetch(`${core.url}/internal/v1/head`, {
      headers: { [INTERNAL_TOKEN_HEADER]: INTERNAL_TOKEN },
    });
    expect(await response.json()).toEqual({
      head: core.log.head,
      log_id: core.log.logId.toString('hex'),
    });
  });

  it('sends history and what comes, every position once and in order, while events are appended', async () => {
    for (let i = 0; i < 1_000; i++) core.log.append('acme', [{}, {}]);
    const client = await FeedClient.open(core, 'from=1');
    for (let i = 0; i < 2_000; i++) {
      core.log.append(i % 2 === 0 ? 'acme' : 'globex', [{ payload: `{"i":${i}}` }]);
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until(({ lastPosition }) => lastPosition >= core.log.head);
    expect(client.positions).toEqual(range(1, core.log.head));
    client.close();
  });

  it('says how far it has come as soon as it has caught up', async () => {
    const client = await FeedClient.open(core, 'from=1');
    await client.until(({ heads }) => heads.length > 0);
    expect(client.heads).toEqual([core.log.head]);
    expect(client.lastPosition).toBe(core.log.head);
    await client.until(({ heads }) => heads.length > 1);
    client.close();
  });

  it('begins with the frame that holds the position, and ends with the one that holds "to"', async () => {
    const first = core.log.append('acme', [{}, {}, {}]);
    const second = core.log.append('acme', [{}, {}]);
    core.log.append('acme', [{}]);
    const client = await FeedClient.open(core, `from=${first.position + 1}&to=${second.position}`);
    await client.until(({ hasEnded }) => hasEnded);
    expect(client.positions).toEqual(range(first.position, second.lastPosition));
    expect(client.heads).toEqual([]);
  });

  it('ends at the head when "to" lies beyond it, and says so', async () => {
    const client = await FeedClient.open(core, 'from=1&to=9999');
    await client.until(({ hasEnded }) => hasEnded);
    expect(client.lastPosition).toBe(core.log.head);
    expect(client.heads).toEqual([core.log.head]);
  });

  it('tells the head at once to a reader that is ahead of it', async () => {
    const client = await FeedClient.open(core, 'from=1000');
    await client.until(({ heads }) => heads.length > 0);
    expect(client.heads[0]).toBe(core.log.head);
    client.close();
  });

  it('sends only system frames when asked, and moves a filtered reader on with head notices', async () => {
    for (let i = 0; i < 50; i++) core.log.append('acme', [{}]);
    const client = await FeedClient.open(core, 'from=1&only=system');
    await client.until(({ heads }) => heads.includes(core.log.head));
    expect(client.positions).toEqual(range(1, core.start));
    core.log.append('acme', [{}]);
    await client.until(({ heads }) => heads.includes(core.log.head));
    await core.addKey('another', 'acme', { role: 'readonly' });
    await client.until(({ lastPosition }) => lastPosition === core.log.head);
    client.close();
  });

  it('waits for a slow reader instead of keeping its frames, and loses nothing', async () => {
    const payload = JSON.stringify({ text: 'x'.repeat(20_000) });
    const client = await FeedClient.open(core, 'from=1');
    client.response?.pause();
    for (let i = 0; i < 3_000; i++) core.log.append('acme', [{ payload }]);
    // The reader takes nothing: what core has read for it stays within the sockets and the queue, far below the 60 MB appended.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(core.log.framesRead).toBeLessThan(1_500);
    client.response?.resume();
    await client.until(({ lastPosition }) => lastPosition >= core.log.head);
    expect(client.positions).toEqual(range(1, core.log.head));
    client.close();
  });

  it('ends when the service stops, and forgets readers that go', async () => {
    const gone = await FeedClient.open(core, 'from=1');
    const staying = await FeedClient.open(core, 'from=1');
    await staying.until(({ heads }) => heads.length > 0);
    expect(core.feed.readerCount).toBe(2);
    gone.close();
    while (core.feed.readerCount > 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await core.feed.close();
    await staying.until(({ hasEnded }) => hasEnded);
    expect(staying.response?.complete).toBe(true);
  });

  it.each(['from=0', 'from=x', 'from=1&to=-1', 'only=users'])('refuses ?%s', async (query) => {
    const response = await fetch(`${core.url}/internal/v1/feed?${query}`, {
      headers: { [INTERNAL_TOKEN_HEADER]: INTERNAL_TOKEN },
    });
    expect(response.status).toBe(400);
  });
});
