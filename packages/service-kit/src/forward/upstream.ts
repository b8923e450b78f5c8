import {
  Agent as HttpAgent,
  type ClientRequest,
  type OutgoingHttpHeaders,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { LIMITS } from '@allsource/shared/limits';

export interface UpstreamRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
}

/** Another service that requests are forwarded to, reached over connections that are kept open. */
export class Upstream {
  /** How messages and metrics name it. */
  readonly name: 'core' | 'query' | 'control-plane';
  /** How long it is waited for while no byte moves. */
  readonly silenceMs: number;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(name: Upstream['name'], url: string, silenceMs: number = LIMITS.upstreamSilenceMs) {
    this.name = name;
    this.silenceMs = silenceMs;
    this.#url = new URL(url);
    const options = { keepAlive: true };
    this.#agent = this.#isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'https:';
  }

  /** Opens a request; the caller writes the body and ends it. It times out when no byte moves for `silenceMs`. */
  request({ method, path, headers }: UpstreamRequest): ClientRequest {
    const open = this.#isSecure ? httpsRequest : httpRequest;
    return open({
      protocol: this.#url.protocol,
      // URL keeps the brackets of an IPv6 address, which a connection must not have.
      hostname: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: this.#url.port,
      agent: this.#agent,
      timeout: this.silenceMs,
      method,
      path: this.#url.pathname.replace(/\/$/, '') + path,
      headers,
    });
  }

  /** Closes the connections that are kept open. */
  close(): void {
    this.#agent.destroy();
  }
}
