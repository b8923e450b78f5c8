/**
 * Tenants and API keys are events of core's log, and core is the only writer: these requests go on to core under the caller's own key. The answers get the
 * form that clients of a control plane know.
 */
import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import { type Call, readBody, requireJson, type Route } from '@allsource/service-kit/http';
import { parsedList, parsedObject } from '../upstream/answer-members.ts';
import { callerHeaders } from '../upstream/caller-headers.ts';
import type { ServiceAnswer, ServiceClient } from '../upstream/service-client.ts';
import { upstreamProblem } from '../upstream/upstream-problem.ts';

const BODY_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 10_000;
const TENANTS_PATH = '/api/v1/tenants';
const KEYS_PATH = '/api/v1/auth/api-keys';

/** Tenants, in the form of the control plane. */
export function tenantRoutes(core: ServiceClient): Route[] {
  return [
    {
      method: 'GET',
      path: TENANTS_PATH,
      needs: 'manage_tenants',
      summary: 'All tenants.',
      handle: async (call) => {
        const tenants = await listTenants(call, core);
        call.json(200, {
          tenants: tenants.map(tenantToWire),
          total: tenants.length,
          _links: { self: { href: TENANTS_PATH } },
        });
      },
    },
    {
      method: 'GET',
      path: `${TENANTS_PATH}/:tenantId`,
      needs: 'manage_tenants',
      summary: 'One tenant.',
      handle: async (call) => {
        const id = call.pathParameter('tenantId');
        const tenants = await listTenants(call, core);
        const tenant = tenants.find((candidate) => candidate['id'] === id);
        if (tenant === undefined)
          throw problem('tenant_not_found', `There is no tenant ${quoted(id)}.`);
        call.json(200, tenantToWire(tenant));
      },
    },
    {
      method: 'POST',
      path: TENANTS_PATH,
      needs: 'manage_tenants',
      summary: 'Creates a tenant.',
      handle: async (call) => {
        const answer = await forwarded(call, core, { method: 'POST', path: TENANTS_PATH });
        call.json(201, tenantToWire(parsedObject(answer.text) ?? {}));
      },
    },
  ];
}

/** API keys, as core answers them. */
export function apiKeyRoutes(core: ServiceClient): Route[] {
  return [
    {
      method: 'GET',
      path: KEYS_PATH,
      needs: 'admin',
      summary: 'The API keys of the tenant.',
      handle: (call) => passOn(call, core, { method: 'GET', path: KEYS_PATH }),
    },
    {
      method: 'POST',
      path: KEYS_PATH,
      needs: 'admin',
      summary: 'Makes an API key; the answer is the only one that shows it.',
      handle: (call) => passOn(call, core, { method: 'POST', path: KEYS_PATH }),
    },
    {
      method: 'DELETE',
      path: `${KEYS_PATH}/:keyId`,
      needs: 'admin',
      summary: 'Revokes an API key.',
      handle: (call) => {
        const path = `${KEYS_PATH}/${encodeURIComponent(call.pathParameter('keyId'))}`;
        return passOn(call, core, { method: 'DELETE', path });
      },
    },
    {
      method: 'GET',
      path: '/api/v1/auth/me',
      needs: 'authenticated',
      summary: 'Who the presented key or token stands for.',
      handle: (call) => passOn(call, core, { method: 'GET', path: '/api/v1/auth/me' }),
    },
  ];
}

async function listTenants(call: Call, core: ServiceClient): Promise<Record<string, unknown>[]> {
  const answer = await forwarded(call, core, { method: 'GET', path: TENANTS_PATH });
  const tenants = parsedList(answer.text);
  if (tenants !== null) return tenants;
  throw problem('upstream_unavailable', 'Core answered with something that is no list of tenants.');
}

interface Target {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
}

async function passOn(call: Call, core: ServiceClient, target: Target): Promise<void> {
  const answer = await forwarded(call, core, target);
  if (answer.status === 204) call.empty(204);
  else call.json(answer.status, answer.text);
}

/** Core's answer to this call. Throws what core refuses. */
async function forwarded(call: Call, core: ServiceClient, target: Target): Promise<ServiceAnswer> {
  const tenant = call.query.text('tenant_id');
  const parameters = tenant === null ? '' : `?tenant_id=${encodeURIComponent(tenant)}`;
  const body = target.method === 'POST' ? await jsonText(call) : undefined;
  const answer = await core.request({
    method: target.method,
    path: target.path + parameters,
    headers: callerHeaders(call.request),
    timeoutMs: TIMEOUT_MS,
    ...(body === undefined ? {} : { body }),
  });
  if (answer.status >= 400) throw upstreamProblem(core, answer);
  return answer;
}

async function jsonText(call: Call): Promise<string> {
  requireJson(call.request);
  return (await readBody(call.request, BODY_BYTES_MAX)).toString('utf8');
}

function tenantToWire(tenant: Record<string, unknown>): Record<string, unknown> {
  const { id, name, description, status, created_at, updated_at, metadata } = tenant;
  return {
    id,
    name,
    description: description ?? null,
    status: status ?? 'active',
    created_at,
    updated_at,
    metadata: metadata ?? {},
    _links: { self: { href: `${TENANTS_PATH}/${encodeURIComponent(String(id))}` } },
  };
}
