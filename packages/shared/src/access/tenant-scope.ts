import { problem } from '../errors/problem.ts';
import { quoted, tenantIdFault } from '../model/names.ts';
import type { AccessDirectory } from './access-directory.ts';
import { isPermitted, type Principal } from './principal.ts';

/**
 * The tenant a request works in. It is the principal's own; only an admin may name another with `tenant_id`, which must exist. Anyone
 * else who names another tenant is refused with the same answer whether that tenant exists or not.
 */
export function resolveTenant(
  principal: Principal,
  requested: string | null,
  directory: AccessDirectory,
): string {
  const tenantId = requested ?? principal.tenantId;
  const fault = tenantIdFault(tenantId);
  if (fault !== null) throw problem('invalid_tenant_id', fault);
  if (tenantId !== principal.tenantId && !isPermitted(principal, 'manage_tenants')) {
    throw problem(
      'forbidden',
      `This key belongs to one tenant and may not act for ${quoted(tenantId)}. Leave tenant_id out.`,
    );
  }
  if (!directory.hasTenant(tenantId)) {
    throw problem(
      'tenant_not_found',
      `There is no tenant ${quoted(tenantId)}. Create it first, or leave tenant_id out.`,
    );
  }
  return tenantId;
}
