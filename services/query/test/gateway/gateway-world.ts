import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, answerOf } from '@allsource/testkit';
import { readQueryConfig } from '../../src/config/query-config.ts';
import {
  createQueryService,
  type QueryService,
  type QueryServiceParts,
} from '../../src/create-service.ts';
import { INTERNAL_TOKEN, StandInCore } from './stand-in-core.ts';

export const ADMIN = 'admin-key-of-the-test';
export const ACME = 'developer-key-of-acme';
export const ACME_READER = 'reader-key-of-acme';
export const OTHER = 'developer-key-of-other';

export interface GatewayWorld {
  readonly core: StandInCore;
  readonly service: QueryService;
  readonly url: string;
  /** The data folder of the services. */
  readonly folder: string;
  /** A request with a key, and its answer as parsed JSON. */
  readonly ask: (path: string, init?: RequestInit & { readonly key?: string }) => Promise<Answer>;
  /** Stops the query service and starts it again on the same folder. */
  restart(): Promise<GatewayWorld>;
  close(): Promise<void>;
}

/** A query service over a stand-in core that has three tenants and four keys. */
export async function gatewayWorld(
  settings: Readonly<Record<string, string>> = {},
  ready = true,
  partsOf: (core: StandInCore) => QueryServiceParts = () => ({}),
): Promise<GatewayWorld> {
  const core = new StandInCore();
  await core.listen();
  core.addKey(ADMIN, { tenant: 'default', role: 'admin' });
  core.addKey(ACME, { tenant: 'acme', role: 'developer' });
  core.addKey(ACME_READER, { tenant: 'acme', role: 'readonly' });
  core.addKey(OTHER, { tenant: 'other', role: 'developer' });
  const folder = mkdtempSync(join(tmpdir(), 'allsource-gateway-'));
  const environment = {
    ALLSOURCE_DATA_DIR: folder,
    QUERY_PORT: '0',
    CORE_URL: core.url,
    ALLSOURCE_INTERNAL_TOKEN: INTERNAL_TOKEN,
    ALLSOURCE_LOG_LEVEL: 'silent',
    ALLSOURCE_SHUTDOWN_GRACE_MS: '500',
    ...settings,
  };
  const world = await startWorld({ core, folder, environment, parts: partsOf(core) });
  if (ready) await untilReady(world);
  return world;
}

interface WorldParts {
  readonly core: StandInCore;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly parts: QueryServiceParts;
}

async function startWorld(world: WorldParts): Promise<GatewayWorld> {
  const { core, folder, environment, parts } = world;
  const service = await createQueryService(readQueryConfig(environment), parts);
  const { url } = service;
  return {
    core,
    service,
    url,
    folder,
    ask: (path, init) => ask(url + path, init),
    restart: async () => {
      await service.close();
      const again = await startWorld(world);
      await untilReady(again);
      return again;
    },
    close: async () => {
      await service.close();
      await core.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function ask(
  url: string,
  init: RequestInit & { readonly key?: string } = {},
): Promise<Answer> {
  const { key, ...rest } = init;
  const headers = new Headers(init.headers);
  if (init.body !== undefined && !headers.has('content-type'))
    headers.set('content-type', 'application/json');
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`);
  const response = await fetch(url, { ...rest, headers });
  return await answerOf(response);
}

/** Waits until the service says that it can serve. */
export async function untilReady(world: Pick<GatewayWorld, 'ask'>): Promise<void> {
  while ((await world.ask('/readyz')).status !== 200) await sleep(10);
}
