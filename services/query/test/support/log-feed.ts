import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { position } from '@allsource/shared/model';
import { encodeHeadNotice, FEED_PATH, HEAD_PATH } from '@allsource/shared/protocol';
import type { GeneratedLog } from './generated-log.ts';

/** Stands in for core's internal routes: the feed and the head of a generated log, of which it shows the first frames. */
export class LogFeed {
  /** Where each feed that follows the log began. */
  readonly feedsFrom: number[] = [];
  readonly #log: GeneratedLog;
  readonly #server: Server;
  #shown = 0;

  constructor(log: GeneratedLog) {
    this.#log = log;
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://core');
      if (url.pathname === HEAD_PATH)
        response.end(JSON.stringify({ head: this.head, log_id: log.logIdHex }));
      else if (url.pathname === FEED_PATH) this.#feed(url.searchParams, response);
      else response.writeHead(404).end();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get head(): number {
    return this.#log.frames[this.#shown - 1]?.lastPosition ?? 0;
  }

  /** Makes the first `frames` frames all that there are. Feeds opened after it see them. */
  show(frames: number): void {
    this.#shown = frames;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #feed(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('from'));
    const to = Number(query.get('to') ?? Number.POSITIVE_INFINITY);
    if (!query.has('to')) this.feedsFrom.push(from);
    for (const frame of this.#log.frames.slice(0, this.#shown))
      if (frame.lastPosition >= from && frame.position <= to) response.write(frame.bytes);
    response.write(encodeHeadNotice(position(this.head), this.#log.logId));
    if (query.has('to')) response.end();
  }
}
