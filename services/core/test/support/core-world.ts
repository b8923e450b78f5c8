/** Core as a whole, in this process, on a free port and a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCoreConfig } from '../../src/config/core-config.ts';
import { type CoreService, createCoreService } from '../../src/create-service.ts';

const KEY = 'bootstrap-key-of-the-test';

export interface CoreAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body. Tests look into it freely. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface Asking {
  readonly body?: unknown;
  readonly key?: string;
  readonly headers?: Record<string, string>;
}

export class CoreWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'allsource-core-'));
  #service: CoreService | null = null;

  static async start(over: Record<string, string> = {}): Promise<CoreWorld> {
    const world = new CoreWorld();
    await world.#start(over);
    return world;
  }

  async #start(over: Record<string, string>): Promise<void> {
    const config = readCoreConfig({
      ALLSOURCE_DATA_DIR: this.folder,
      CORE_PORT: '0',
      ALLSOURCE_BOOTSTRAP_API_KEY: KEY,
      ALLSOURCE_LOG_LEVEL: 'silent',
      ALLSOURCE_SEGMENT_BYTES: String(1024 * 1024),
      ...over,
    });
    this.#service = await createCoreService(config);
  }

  get url(): string {
    return this.#service?.url ?? '';
  }

  /** Sends a request; a body that is no text is printed as JSON. */
  async ask(method: string, path: string, asking: Asking = {}): Promise<CoreAnswer> {
    const { body, key = KEY, headers } = asking;
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...type, ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const text = await response.text();
    const isJson = text.startsWith('{') || text.startsWith('[');
    const parsed = isJson && !text.trimEnd().includes('\n') ? JSON.parse(text) : null;
    return { status: response.status, headers: response.headers, text, body: parsed };
  }

  /** A further tenant, and a key of it. */
  async addTenant(id: string, role = 'developer'): Promise<string> {
    await this.ask('POST', '/api/v1/tenants', { body: { id } });
    const path = `/api/v1/auth/api-keys?tenant_id=${id}`;
    const { body } = await this.ask('POST', path, { body: { name: `key of ${id}`, role } });
    return body.key;
  }

  async restart(over: Record<string, string> = {}): Promise<void> {
    await this.#service?.close();
    await this.#start(over);
  }

  async remove(): Promise<void> {
    await this.#service?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
