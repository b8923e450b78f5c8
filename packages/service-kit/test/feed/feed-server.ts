import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { position } from '@allsource/shared/model';
import {
  encodeHeadNotice,
  FEED_PATH,
  type Frame,
  HEAD_PATH,
  INTERNAL_TOKEN_HEADER,
} from '@allsource/shared/protocol';
import type { SampleLog } from './sample-log.ts';

export const TOKEN = 'a-token-of-the-tests';

interface LiveFeed {
  readonly response: ServerResponse;
  readonly only: string | null;
  sentTo: number;
}

/** What may go wrong with one feed connection. */
export interface FeedFaults {
  /** Cuts the connection after so many bytes; null: never. */
  cutAfterBytes: () => number | null;
  /** Changes the frames of one write, such as doubling or shuffling them. */
  disturb: (frames: Frame[]) => Frame[];
  /** True: accept and say nothing. */
  isSilent: boolean;
}

/** Core's internal routes over a sample log, with faults to order. */
export class FeedServer {
  log: SampleLog;
  readonly faults: FeedFaults = {
    cutAfterBytes: () => null,
    disturb: (frames) => frames,
    isSilent: false,
  };
  headRequests = 0;
  feedRequests = 0;
  /** Awaited before a head request is answered. */
  beforeHead: () => Promise<void> = () => Promise.resolve();
  readonly #server: Server;
  readonly #live = new Set<LiveFeed>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(log: SampleLog) {
    this.log = log;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#heartbeat = setInterval(() => this.notice(), 100);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** Sends what the log has more to all live feeds. */
  publish(): void {
    for (const feed of this.#live) this.#send(feed);
  }

  notice(): void {
    if (this.faults.isSilent) return;
    this.publish();
    for (const feed of this.#live) this.#write(feed.response, this.#headNotice());
  }

  cutAll(): void {
    for (const feed of this.#live) feed.response.destroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://core');
    if (request.headers[INTERNAL_TOKEN_HEADER] !== TOKEN) {
      response.writeHead(401).end('{"error":"no token"}');
      return;
    }
    if (url.pathname === HEAD_PATH) return this.#answerHead(response);
    if (url.pathname === FEED_PATH) return this.#answerFeed(url.searchParams, response);
    response.writeHead(404).end();
  }

  async #answerHead(response: ServerResponse): Promise<void> {
    this.headRequests++;
    await this.beforeHead();
    if (this.faults.isSilent) return;
    response.end(JSON.stringify({ head: this.log.head, log_id: this.log.logId.toString('hex') }));
  }

  #answerFeed(query: URLSearchParams, response: ServerResponse): void {
    this.feedRequests++;
    response.writeHead(200);
    response.flushHeaders();
    const to = query.get('to');
    const feed = { response, only: query.get('only'), sentTo: Number(query.get('from')) - 1 };
    const cutAfterBytes = this.faults.cutAfterBytes();
    if (cutAfterBytes !== null) cutLater(response, cutAfterBytes);
    this.#send(feed, to === null ? Number.MAX_SAFE_INTEGER : Number(to));
    if (to !== null) {
      response.end();
      return;
    }
    if (!this.faults.isSilent) this.#write(response, this.#headNotice());
    this.#live.add(feed);
    response.once('close', () => this.#live.delete(feed));
  }

  #send(feed: LiveFeed, to = Number.MAX_SAFE_INTEGER): void {
    if (this.faults.isSilent) return;
    const frames = this.log.range(feed.sentTo + 1, to);
    feed.sentTo = Math.max(feed.sentTo, frames.at(-1)?.lastPosition ?? 0);
    const wanted = frames.filter((frame) => feed.only === null || frame.isSystem);
    if (wanted.length === 0) return;
    const bytes = Buffer.concat(this.faults.disturb(wanted).map((frame) => frame.bytes));
    this.#write(feed.response, bytes);
  }

  #write(response: ServerResponse, bytes: Buffer): void {
    if (!response.destroyed && !response.writableEnded) response.write(bytes);
  }

  #headNotice(): Buffer {
    return encodeHeadNotice(position(this.log.head), this.log.logId);
  }
}

/** Lets `bytes` bytes of the body through, then breaks the connection. */
function cutLater(response: ServerResponse, bytes: number): void {
  const write = response.write.bind(response) as (bytes: Buffer, done?: () => void) => boolean;
  let left = bytes;
  response.write = ((chunk: Buffer) => {
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (left > 0) return write(part);
    return write(part, () => response.destroy());
  }) as typeof response.write;
}
