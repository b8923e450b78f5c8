import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { problem } from '@allsource/shared/errors';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { FOLLOWER_LIMITS } from './follower-limits.ts';

export interface CoreEndpointOptions {
  /** Where core listens, such as http://127.0.0.1:3900. */
  readonly coreUrl: string;
  readonly internalToken: string;
}

/** How core's internal routes are reached: one agent that keeps connections open, and the token on every request. */
export class CoreEndpoint {
  readonly #coreUrl: string;
  readonly #internalToken: string;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #isSecure: boolean;
  #isClosed = false;

  constructor({ coreUrl, internalToken }: CoreEndpointOptions) {
    this.#coreUrl = coreUrl;
    this.#internalToken = internalToken;
    this.#isSecure = new URL(coreUrl).protocol === 'https:';
    this.#agent = this.#isSecure
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }

  /** Starts a GET of a path with its query. The caller listens for `response` and `error`. Throws once it is closed. */
  get(path: string): ClientRequest {
    if (this.#isClosed) throw problem('upstream_unavailable', 'The follower of core is closed.');
    const url = new URL(path, this.#coreUrl);
    const request = this.#isSecure ? httpsRequest : httpRequest;
    const headers = { [INTERNAL_TOKEN_HEADER]: this.#internalToken };
    return request(url, { agent: this.#agent, headers }).end();
  }

  /** Ends all connections, those in use too. */
  close(): void {
    this.#isClosed = true;
    this.#agent.destroy();
  }
}

/** The problem of a request to core that did not come through. */
export function coreUnreachable(path: string, cause: Error): Error {
  return problem(
    'upstream_unavailable',
    `Core does not answer GET ${path}: ${cause.message}. Is core running, and is CORE_URL right?`,
    {},
    cause,
  );
}

/** Collects a short answer. Rejects when it is longer than an answer may be, or ends early. */
export async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > FOLLOWER_LIMITS.answerBytesMax) {
      response.destroy();
      break;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The problem of an answer of core that is not 200. */
export async function coreRefused(path: string, response: IncomingMessage): Promise<Error> {
  const text = await readAnswer(response);
  return problem(
    'upstream_unavailable',
    `Core answered GET ${path} with ${response.statusCode}: ${text.slice(0, 300)}`,
  );
}
