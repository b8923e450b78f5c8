/**
 * Makes sure that a fresh store can be used: a tenant and an admin key. A key given in the environment is installed at every start that lacks it.
 * Otherwise the first start makes one and leaves it in a file that only its owner may read. The file is written and synced before the
 * key's event is appended: a crash between the two leaves a file whose key the next start installs, never a key that nobody knows.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  type AccessDirectory,
  apiKeyPrefix,
  generateApiKey,
  hashApiKey,
} from '@allsource/shared/access';
import { quoted, SYSTEM_TENANT, tenantIdFault } from '@allsource/shared/model';
import { ConfigError } from '@allsource/service-kit/config';
import type { SystemAppender } from '../append/append-port.ts';

export interface BootstrapOptions {
  readonly directory: AccessDirectory;
  readonly appender: SystemAppender;
  readonly tenant: string;
  /** The admin key of the environment; null when none is given. */
  readonly apiKey: string | null;
  /** Where a key made here is left. */
  readonly keyFile: string;
}

/** Returns the file of a key that this start made, or null when none was needed. */
export async function bootstrapAccess(
  options: BootstrapOptions,
): Promise<{ readonly createdKeyFile: string | null }> {
  const { directory, tenant, apiKey, keyFile } = options;
  const fault = tenantIdFault(tenant);
  if (fault !== null)
    throw new ConfigError([`ALLSOURCE_BOOTSTRAP_TENANT is ${quoted(tenant)}; ${fault}`]);
  if (!directory.hasTenant(tenant)) await createTenant(options);
  if (apiKey !== null) {
    if (directory.keyByHash(hashApiKey(apiKey)) === undefined)
      await createAdminKey(options, apiKey);
    return { createdKeyFile: null };
  }
  if (directory.keys().some((key) => key.role === 'admin' && key.active))
    return { createdKeyFile: null };
  await createAdminKey(options, keyOfFile(keyFile));
  return { createdKeyFile: keyFile };
}

function keyOfFile(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${generateApiKey()}\n`, { mode: 0o600, flush: true });
  return readFileSync(file, 'utf8').trim();
}

async function createTenant({ appender, tenant }: BootstrapOptions): Promise<void> {
  const payload = { id: tenant, name: tenant };
  await appender.appendSystem(SYSTEM_TENANT, [
    { entity: `tenant:${tenant}`, event: { type: '_system.tenant.created', payload } },
  ]);
}

async function createAdminKey({ appender, tenant }: BootstrapOptions, key: string): Promise<void> {
  const id = randomUUID();
  const payload = {
    id,
    name: 'bootstrap',
    key_hash: hashApiKey(key),
    key_prefix: apiKeyPrefix(key),
    tenant_id: tenant,
    role: 'admin',
    expires_at: null,
  } as const;
  await appender.appendSystem(SYSTEM_TENANT, [
    { entity: `api_key:${id}`, event: { type: '_system.api_key.created', payload } },
  ]);
}
