/** Core as a whole, in this process, on a free port and a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from '@allsource/shared/lang';
import { type Answer, answerOf, requestBody } from '@allsource/testkit';
import { readCoreConfig } from '../../src/config/core-config.ts';
import { type CoreService, createCoreService } from '../../src/create-service.ts';

/** The key of the first administrator. */
export const KEY = 'bootstrap-key-of-the-test';

export interface Asking {
  readonly body?: unknown;
  /** Null: no key is sent. */
  readonly key?: string | null;
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

  /** Core as it runs at the moment. */
  get service(): CoreService {
    return must(this.#service, 'started');
  }

  get url(): string {
    return this.service.url;
  }

  /** Sends a request; a body that is no text is printed as JSON. */
  async ask(method: string, path: string, asking: Asking = {}): Promise<Answer> {
    const { body, key = KEY, headers } = asking;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...requestBody(body),
    });
    return await answerOf(response);
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
