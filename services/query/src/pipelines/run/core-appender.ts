import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { INTERNAL_APPEND_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import type { CoreAccess } from './host-protocol.ts';

/** How long core may take to answer an append. */
const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024;
/** Statuses that say that the same append will be refused again. */
const FINAL_STATUSES = new Set([400, 413, 422]);

export interface AppendRequest {
  readonly tenant: string;
  /** Events as JSON text. */
  readonly events: readonly string[];
  readonly idempotencyKey: string;
}

export type AppendOutcome =
  | { readonly kind: 'appended' }
  /** The events cannot be stored, now or later. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The key was used for other events. */
  | { readonly kind: 'key_reused' }
  /** Core did not answer or cannot take them at the moment. Whether they were stored is not known. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Appends what pipelines put out at core. One for all pipelines of a process. */
export class CoreAppender {
  readonly #core: CoreAccess;
  readonly #isSecure: boolean;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(core: CoreAccess) {
    this.#core = core;
    this.#isSecure = new URL(core.coreUrl).protocol === 'https:';
    this.#agent = this.#isSecure
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }

  /** Appends events as one commit. */
  async append(append: AppendRequest): Promise<AppendOutcome> {
    try {
      const { status, text } = await this.#post(append);
      if (status === 200) return { kind: 'appended' };
      if (text.includes('"idempotency_key_reused"')) return { kind: 'key_reused' };
      const reason = `core answered ${status}: ${text.slice(0, 300)}`;
      return { kind: FINAL_STATUSES.has(status) ? 'refused' : 'failed', reason };
    } catch (error) {
      return { kind: 'failed', reason: `core does not answer: ${String(error)}` };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post({ tenant, events, idempotencyKey }: AppendRequest) {
    const { coreUrl, internalToken } = this.#core;
    const url = new URL(`${INTERNAL_APPEND_PATH}?tenant_id=${encodeURIComponent(tenant)}`, coreUrl);
    const body = `{"events":[${events.join(',')}]}`;
    const headers = {
      [INTERNAL_TOKEN_HEADER]: internalToken,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'idempotency-key': idempotencyKey,
    };
    const options = { method: 'POST', agent: this.#agent, headers, timeout: TIMEOUT_MS };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = this.#isSecure ? httpsRequest : httpRequest;
      const request = send(url, options, resolve);
      request.once('timeout', () => request.destroy(new RangeError('no answer in time')));
      request.once('error', reject);
      request.end(body);
    });
    return { status: response.statusCode ?? 0, text: await textOf(response) };
  }
}

/** The beginning of an answer. All of it is read, so that the connection can be used again. */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (bytes < ANSWER_BYTES_MAX) chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}
