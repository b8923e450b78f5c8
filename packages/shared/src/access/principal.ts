import type { Role } from '../protocol/system-events.ts';

/** What a route may demand of its caller. */
export const PERMISSIONS = [
  'read',
  'write',
  'admin',
  'metrics',
  'manage_schemas',
  'manage_pipelines',
  'manage_tenants',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const ROLE_PERMISSIONS: Record<Role, ReadonlySet<Permission>> = {
  admin: new Set(PERMISSIONS),
  developer: new Set<Permission>([
    'read',
    'write',
    'metrics',
    'manage_schemas',
    'manage_pipelines',
  ]),
  readonly: new Set<Permission>(['read', 'metrics']),
  serviceaccount: new Set<Permission>(['read', 'write']),
};

/** Who is calling: an API key, the bearer of a token, or the developer of dev mode. */
export interface Principal {
  readonly kind: 'api_key' | 'token' | 'dev';
  readonly id: string;
  readonly name: string;
  readonly tenantId: string;
  readonly role: Role;
  /** When this right ends, in milliseconds since the epoch; null = never. Live connections are closed then. */
  readonly expiresAtMs: number | null;
}

/** True when the role of the principal includes the permission. */
export function isPermitted(principal: Principal, permission: Permission): boolean {
  return ROLE_PERMISSIONS[principal.role].has(permission);
}

/** The role a text names, in any case and with or without an underscore; null for none. */
export function parseRole(text: string): Role | null {
  const plain = text.toLowerCase().replaceAll('_', '');
  if (
    plain === 'admin' ||
    plain === 'developer' ||
    plain === 'readonly' ||
    plain === 'serviceaccount'
  )
    return plain;
  return plain === 'service' ? 'serviceaccount' : null;
}
