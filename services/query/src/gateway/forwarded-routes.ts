import { problem } from '@allsource/shared/errors';
import type { Forwarder, ForwardTarget, Upstream } from '@allsource/service-kit/forward';
import {
  allowLongRequest,
  type Call,
  isNdjson,
  type Method,
  type Route,
  type RouteNeed,
} from '@allsource/service-kit/http';
import { API_BASES, versionedPath } from './api-path.ts';

export interface ForwardedRoutesOptions {
  readonly forwarder: Forwarder;
  readonly core: Upstream;
  /** Null where no control plane is configured. */
  readonly controlPlane: Upstream | null;
}

interface Forwarded {
  readonly method: Method;
  /** Below /api/v1 and /api. */
  readonly path: string;
  readonly needs: RouteNeed;
  readonly summary: string;
  readonly target?: Omit<ForwardTarget, 'upstream'>;
}

const ACCEPTED = { okStatus: 201 };
// Older clients of the path without a version expect whole events back from a batch.
const WHOLE_EVENTS = { ...ACCEPTED, headers: { prefer: 'return=representation' } };

const TO_CORE: readonly Forwarded[] = [
  {
    method: 'POST',
    path: '/events',
    needs: 'write',
    summary: 'Append one event.',
    target: ACCEPTED,
  },
  {
    method: 'GET',
    path: '/events/stream',
    needs: 'read',
    summary: 'Live events over a WebSocket; a plain GET is told to upgrade.',
  },
  {
    method: 'GET',
    path: '/events/sse',
    needs: 'read',
    summary: 'Live events as server-sent events.',
    target: { isLive: true },
  },
  {
    method: 'POST',
    path: '/consumers',
    needs: 'write',
    summary: 'Registers a consumer or changes its filters; its cursor stays.',
  },
  {
    method: 'GET',
    path: '/consumers/:consumerId',
    needs: 'read',
    summary: 'A consumer: its filters and its cursor.',
  },
  {
    method: 'GET',
    path: '/consumers/:consumerId/events',
    needs: 'read',
    summary: 'The next events behind the cursor of a consumer; the cursor stays.',
  },
  {
    method: 'POST',
    path: '/consumers/:consumerId/ack',
    needs: 'write',
    summary: 'Records how far a consumer has come.',
  },
  {
    method: 'GET',
    path: '/auth/me',
    needs: 'authenticated',
    summary: 'Who the presented key or token stands for.',
  },
  {
    method: 'GET',
    path: '/auth/api-keys',
    needs: 'admin',
    summary: 'The API keys of the tenant.',
  },
  {
    method: 'POST',
    path: '/auth/api-keys',
    needs: 'admin',
    summary: 'Makes an API key; the answer is the only one that shows it.',
  },
  {
    method: 'DELETE',
    path: '/auth/api-keys/:keyId',
    needs: 'admin',
    summary: 'Revokes an API key.',
  },
  {
    method: 'POST',
    path: '/operations/verify',
    needs: 'admin',
    summary: 'Verifies the log up to its head; answers findings and a summary as NDJSON.',
    target: { isLive: true },
  },
  {
    method: 'POST',
    path: '/schemas/validate',
    needs: 'read',
    summary: 'Holds a payload against a schema; nothing is stored.',
  },
  {
    method: 'GET',
    path: '/schemas/:subject/versions',
    needs: 'read',
    summary: 'The versions of a schema.',
  },
  {
    method: 'GET',
    path: '/schemas/:subject/upcasters',
    needs: 'read',
    summary: 'The steps between the versions of a schema, and whether they are complete.',
  },
  {
    method: 'PUT',
    path: '/schemas/:subject/upcasters',
    needs: 'manage_schemas',
    summary: 'Sets all steps between the versions of a schema at once.',
  },
  {
    method: 'GET',
    path: '/schemas/:subject/upcasters/:fromVersion',
    needs: 'read',
    summary: 'The step that begins at a version.',
  },
  {
    method: 'PUT',
    path: '/schemas/:subject/upcasters/:fromVersion',
    needs: 'manage_schemas',
    summary: 'Sets the step that begins at a version.',
  },
  {
    method: 'DELETE',
    path: '/schemas/:subject/upcasters/:fromVersion',
    needs: 'manage_schemas',
    summary: 'Removes the step that begins at a version.',
  },
  {
    method: 'PUT',
    path: '/schemas/:subject/compatibility',
    needs: 'manage_schemas',
    summary: 'Sets what a further version of a schema has to keep.',
  },
  {
    method: 'PUT',
    path: '/tenants/:tenantId/schema-enforcement',
    needs: 'manage_tenants',
    summary: 'Sets what a tenant does about payloads that do not fit their schemas.',
  },
  { method: 'GET', path: '/tenants', needs: 'manage_tenants', summary: 'All tenants.' },
  { method: 'POST', path: '/tenants', needs: 'manage_tenants', summary: 'Creates a tenant.' },
];

// Clients of the path without a version expect these answers in a member `data`, and 201 for what they create.
const SCHEMAS_TO_CORE: readonly Forwarded[] = [
  {
    method: 'POST',
    path: '/schemas',
    needs: 'manage_schemas',
    summary: 'Registers the next version of the schema of an event type.',
    target: ACCEPTED,
  },
  {
    method: 'GET',
    path: '/schemas',
    needs: 'read',
    summary: 'The event types that have schemas.',
  },
  {
    method: 'GET',
    path: '/schemas/:subject',
    needs: 'read',
    summary: 'A schema: its newest version, or the one asked for.',
  },
];
const IN_DATA = { headers: { prefer: 'envelope=data' } };

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What the control plane owns: everything at and below these paths. */
const TO_CONTROL_PLANE = [
  { path: '/audit', summary: 'The audit log.' },
  { path: '/policies', summary: 'Access policies.' },
  { path: '/config', summary: 'Settings that operators change.' },
  { path: '/cluster', summary: 'The state of the services.' },
  { path: '/operations', summary: 'Operations such as snapshots, replays and backups.' },
] as const;

/** The routes that another service owns. The permission is checked here and again there. */
export function forwardedRoutes(options: ForwardedRoutesOptions): Route[] {
  const routes = [
    ...batchRoutes(options),
    ...coreRoutes(options),
    ...schemaRoutes(options),
    ...controlPlaneRoutes(options),
  ];
  return routes.map((route) => ({ ...route, isForwarded: true }));
}

function coreRoutes({ forwarder, core }: ForwardedRoutesOptions): Route[] {
  return API_BASES.flatMap((base) =>
    TO_CORE.map(({ method, path, needs, summary, target }) => ({
      method,
      path: base + path,
      needs,
      summary,
      handle: (call: Call) => forwardVersioned(forwarder, call, { ...target, upstream: core }),
    })),
  );
}

function schemaRoutes({ forwarder, core }: ForwardedRoutesOptions): Route[] {
  return API_BASES.flatMap((base) =>
    SCHEMAS_TO_CORE.map(({ method, path, needs, summary, target }) => {
      const shape = base === '/api' ? { ...target, ...IN_DATA } : {};
      return {
        method,
        path: base + path,
        needs,
        summary,
        handle: (call: Call) => forwardVersioned(forwarder, call, { ...shape, upstream: core }),
      };
    }),
  );
}

function batchRoutes({ forwarder, core }: ForwardedRoutesOptions): Route[] {
  return API_BASES.map((base) => {
    const target = { ...(base === '/api' ? WHOLE_EVENTS : ACCEPTED), upstream: core };
    return {
      method: 'POST',
      path: `${base}/events/batch`,
      needs: 'write',
      summary: 'Append a batch of events, all or nothing; or lines of them, group by group.',
      handle: (call: Call) => {
        if (!isNdjson(call.request)) return forwardVersioned(forwarder, call, target);
        allowLongRequest(call.request);
        return forwardVersioned(forwarder, call, { upstream: core, isUnbounded: true });
      },
    };
  });
}

function controlPlaneRoutes({ forwarder, controlPlane }: ForwardedRoutesOptions): Route[] {
  const handle = (call: Call) => {
    if (controlPlane !== null) return forwardVersioned(forwarder, call, { upstream: controlPlane });
    throw problem(
      'not_available',
      'The control plane serves this, and this gateway knows none. Set CONTROL_PLANE_URL.',
    );
  };
  return TO_CONTROL_PLANE.flatMap(({ path, summary }) =>
    METHODS.map((method): Route => {
      return { method, path: `/api/v1${path}{/*below}`, needs: 'admin', summary, handle };
    }),
  );
}

/** Forwards a call to the same route of the service behind, which knows only the path with the version. */
export function forwardVersioned(
  forwarder: Forwarder,
  call: Call,
  target: ForwardTarget,
): Promise<void> {
  return forwarder.forward(call, { path: versionedPath(call.request.originalUrl), ...target });
}
