import type { AccessDirectory, ApiKeyRecord, TenantRecord } from '@allsource/shared/access';
import type { SchemaEnforcement } from '@allsource/shared/protocol';
import { problem } from '@allsource/shared/errors';
import { formatTimestamp } from '@allsource/shared/model';
import { readJsonObject, type Route } from '@allsource/service-kit/http';
import type { AccessAdmin } from '../access/access-admin.ts';

const BODY_BYTES_MAX = 64 * 1024;

export interface AccessRoutesOptions {
  readonly directory: AccessDirectory;
  readonly admin: AccessAdmin;
  /** What a tenant does about payloads that do not fit their schemas. */
  readonly enforcementOf: (tenantId: string) => SchemaEnforcement;
}

/** Tenants, API keys and "who am I". */
export function accessRoutes(options: AccessRoutesOptions): Route[] {
  const { directory, admin, enforcementOf } = options;
  const tenantJson = (tenant: TenantRecord) => tenantToWire(tenant, enforcementOf(tenant.id));
  return [
    {
      method: 'GET',
      path: '/api/v1/auth/me',
      needs: 'authenticated',
      summary: 'Who the presented key or token stands for.',
      handle: (call) => {
        const { id, name, role, tenantId, kind } = call.principal;
        call.json(200, { id, username: name, email: null, role, tenant_id: tenantId, kind });
      },
    },
    {
      method: 'GET',
      path: '/api/v1/auth/api-keys',
      needs: 'admin',
      summary: 'The API keys of the tenant.',
      handle: (call) => call.json(200, admin.keysOf(call.tenant()).map(keyToWire)),
    },
    {
      method: 'POST',
      path: '/api/v1/auth/api-keys',
      needs: 'admin',
      summary: 'Makes an API key; the answer is the only one that shows it.',
      handle: async (call) => {
        const body = await readJsonObject(call.request, BODY_BYTES_MAX);
        const tenant = call.tenant(tenantOf(body.tenant_id) ?? call.query.text('tenant_id'));
        const { id, name, key, expiresAt } = await admin.createKey(tenant, body);
        call.json(201, { id, name, key, expires_at: expiresAt });
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/auth/api-keys/:keyId',
      needs: 'admin',
      summary: 'Revokes an API key.',
      handle: async (call) => {
        await admin.revokeKey(call.tenant(), call.pathParameter('keyId'));
        call.empty(204);
      },
    },
    {
      method: 'GET',
      path: '/api/v1/tenants',
      needs: 'manage_tenants',
      summary: 'All tenants.',
      handle: (call) => call.json(200, directory.tenants().map(tenantJson)),
    },
    {
      method: 'POST',
      path: '/api/v1/tenants',
      needs: 'manage_tenants',
      summary: 'Creates a tenant.',
      handle: async (call) => {
        const body = await readJsonObject(call.request, BODY_BYTES_MAX);
        call.json(201, tenantJson(await admin.createTenant(body.id, body.name)));
      },
    },
  ];
}

/** A tenant that is no name is refused: the key would be another tenant's than was meant. */
function tenantOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  throw problem('invalid_body', "'tenant_id' must be a text.", { pointer: '/tenant_id' });
}

function keyToWire(key: ApiKeyRecord): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    key_prefix: key.key_prefix,
    tenant_id: key.tenant_id,
    role: key.role,
    created_at: formatTimestamp(key.createdAt),
    expires_at: key.expires_at,
    active: key.active,
    last_used: null,
  };
}

function tenantToWire(
  tenant: TenantRecord,
  enforcement: SchemaEnforcement,
): Record<string, unknown> {
  const createdAt = formatTimestamp(tenant.createdAt);
  return {
    id: tenant.id,
    name: tenant.name,
    description: null,
    active: true,
    status: 'active',
    created_at: createdAt,
    updated_at: createdAt,
    schema_enforcement: enforcement,
  };
}
