import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Step = (response: ServerResponse, request: SeenRequest) => void;

/** A server that answers each request with the next step of a script, and the last step for all that follow. */
export class ScriptedServer {
  readonly seen: SeenRequest[] = [];
  #steps: Step[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const seen = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      this.seen.push(seen);
      const step = this.#steps.length > 1 ? this.#steps.shift() : this.#steps[0];
      step?.(response, seen);
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  script(...steps: Step[]): void {
    this.#steps = steps;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Answers JSON: an object, or text as it is. */
export function json(
  status: number,
  body: object | string,
  headers: Record<string, string> = {},
): Step {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Cuts the connection. */
export const cut: Step = (response) => void response.destroy();

/** Never answers. */
export const silence: Step = () => {};

/** Sends the text of an event stream, and then ends it or leaves it open. */
export function stream(text: string, after: 'end' | 'open'): Step {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(text);
    if (after === 'end') response.end();
  };
}
