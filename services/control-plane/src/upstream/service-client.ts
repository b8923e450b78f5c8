import { problem } from '@allsource/shared/errors';
import { type AxiosInstance, create as createHttp } from 'axios';

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export type ServiceName = 'core' | 'query';

export interface ServiceRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body?: string;
  readonly timeoutMs: number;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** One of the other services, asked over HTTP. An answer of any status is an answer; none is `upstream_unavailable`. */
export class ServiceClient {
  readonly name: ServiceName;
  readonly url: string;
  readonly #http: AxiosInstance;

  constructor(name: ServiceName, url: string) {
    this.name = name;
    this.url = url;
    this.#http = createHttp({
      baseURL: url,
      // Services reach each other directly: a proxy of the environment is for the outside world.
      proxy: false,
      maxRedirects: 0,
      maxContentLength: ANSWER_BYTES_MAX,
      responseType: 'text',
      // The text is passed on as it is, or parsed where it is used.
      transformResponse: (text: unknown) => text,
      validateStatus: () => true,
    });
  }

  async request(request: ServiceRequest): Promise<ServiceAnswer> {
    const { method, path, headers = {}, body, timeoutMs } = request;
    try {
      const response = await this.#http.request<string>({
        method,
        url: path,
        timeout: timeoutMs,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        data: body,
      });
      const contentType = response.headers['content-type'];
      return {
        status: response.status,
        contentType: typeof contentType === 'string' ? contentType : 'application/json',
        text: response.data,
      };
    } catch (error) {
      throw problem(
        'upstream_unavailable',
        `The service '${this.name}' at ${this.url} does not answer: ${error instanceof Error ? error.message : String(error)}.`,
        { upstream: this.name },
        error,
      );
    }
  }
}
