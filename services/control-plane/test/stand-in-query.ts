import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly body: unknown;
}

/** Stands in for the query service: healthy, at a position, and answering operations as told. */
export class StandInQuery {
  readonly seen: SeenRequest[] = [];
  answer: { readonly status: number; readonly body: object } = { status: 200, body: {} };
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/health') response.end('{"status":"healthy","version":"1"}');
      else if (request.url === '/metrics')
        response.end(
          'allsource_applied_position{store="a"} 3\nallsource_applied_position{store="b"} 2\n',
        );
      else {
        this.seen.push({
          method: request.method ?? '',
          path: request.url ?? '',
          authorization: request.headers.authorization ?? '',
          body:
            chunks.length === 0
              ? null
              : (JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown),
        });
        response.writeHead(this.answer.status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(this.answer.body));
      }
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
