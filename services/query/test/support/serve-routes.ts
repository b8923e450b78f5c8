import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Principal } from '@allsource/shared/access';
import { createApp, type Route } from '@allsource/service-kit/http';
import { HttpMetrics } from '@allsource/service-kit/observability';
import { type Answer, answerOf } from '@allsource/testkit';

export interface Served {
  /** Asks as a reader of a tenant. */
  get(path: string, tenant?: string): Promise<Answer>;
  readonly port: number;
  close(): Promise<void>;
}

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

/** Serves routes on a free port as the gateway does, with the tenant taken from a header. */
export async function serveRoutes(routes: readonly Route[]): Promise<Served> {
  const app = createApp({
    edge: 'gateway',
    routes,
    guard: (request) => readerOf(String(request.headers['x-test-tenant'])),
    resolveTenant: (principal) => principal.tenantId,
    logger: SILENT,
    metrics: new HttpMetrics('test'),
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get: async (path, tenant = 'acme') => {
      const headers = { 'x-test-tenant': tenant };
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      return await answerOf(response);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readerOf(tenantId: string): Principal {
  return {
    kind: 'api_key',
    id: 'k',
    name: 'reader',
    tenantId,
    role: 'readonly',
    expiresAtMs: null,
  };
}
