import { randomUUID } from 'node:crypto';
import {
  type AccessDirectory,
  type ApiKeyRecord,
  apiKeyPrefix,
  generateApiKey,
  hashApiKey,
  parseRole,
  type TenantRecord,
} from '@allsource/shared/access';
import { problem } from '@allsource/shared/errors';
import {
  type Clock,
  formatTimestamp,
  micros,
  quoted,
  SYSTEM_TENANT,
  tenantIdFault,
} from '@allsource/shared/model';
import type { SystemAppender } from '../append/append-port.ts';

const NAME_LENGTH_MAX = 200;
const EXPIRY_DAYS_MAX = 3650;
const MICROS_A_DAY = 86_400_000_000;

export interface AccessAdminOptions {
  readonly directory: AccessDirectory;
  readonly appender: SystemAppender;
  readonly clock: Clock;
}

/** A key right after it was made: the only moment at which its text is known. */
export interface CreatedApiKey {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly expiresAt: string | null;
}

/** What administrators do to tenants and keys. Every change is an event; the directory shows it when it is durable. */
export class AccessAdmin {
  readonly #options: AccessAdminOptions;
  // One change at a time: "does it exist" and "create it" must not interleave between two requests.
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: AccessAdminOptions) {
    this.#options = options;
  }

  /** Creates a tenant. Throws `invalid_tenant_id` or `tenant_exists`. */
  createTenant(id: unknown, name: unknown): Promise<TenantRecord> {
    return this.#inTurn(async () => {
      const { directory, appender } = this.#options;
      const tenantId = requiredText(id, 'id');
      const fault = tenantIdFault(tenantId);
      if (fault !== null) throw problem('invalid_tenant_id', fault, { pointer: '/id' });
      if (directory.hasTenant(tenantId))
        throw problem('tenant_exists', `There is a tenant ${quoted(tenantId)} already.`);
      const payload = {
        id: tenantId,
        name: name === undefined ? tenantId : requiredText(name, 'name'),
      };
      await appender.appendSystem(SYSTEM_TENANT, [
        { entity: `tenant:${tenantId}`, event: { type: '_system.tenant.created', payload } },
      ]);
      return directory.tenant(tenantId) as TenantRecord;
    });
  }

  /** Makes a key of a tenant and returns its text, which is never shown again. */
  createKey(tenant: string, body: Readonly<Record<string, unknown>>): Promise<CreatedApiKey> {
    return this.#inTurn(async () => {
      const name = requiredText(body.name, 'name');
      const role = parseRole(
        body.role === undefined ? 'serviceaccount' : requiredText(body.role, 'role'),
      );
      if (role === null) {
        throw problem(
          'invalid_body',
          `'role' is ${quoted(String(body.role))}; allowed are admin, developer, readonly, serviceaccount.`,
          {
            pointer: '/role',
          },
        );
      }
      const expiresAt = this.#expiry(body.expires_in_days);
      const key = generateApiKey();
      const id = randomUUID();
      const payload = {
        id,
        name,
        key_hash: hashApiKey(key),
        key_prefix: apiKeyPrefix(key),
        tenant_id: tenant,
        role,
        expires_at: expiresAt,
      };
      await this.#options.appender.appendSystem(SYSTEM_TENANT, [
        { entity: `api_key:${id}`, event: { type: '_system.api_key.created', payload } },
      ]);
      return { id, name, key, expiresAt };
    });
  }

  /** Revokes a key of a tenant. Throws `not_found` for a key that is unknown or another tenant's: the same answer. */
  revokeKey(tenant: string, id: string): Promise<void> {
    return this.#inTurn(async () => {
      const key = this.#options.directory.keyById(id);
      if (key === undefined || key.tenant_id !== tenant || !key.active)
        throw problem('not_found', `There is no API key ${quoted(id)}.`);
      await this.#options.appender.appendSystem(SYSTEM_TENANT, [
        { entity: `api_key:${id}`, event: { type: '_system.api_key.revoked', payload: { id } } },
      ]);
    });
  }

  /** The keys of a tenant, oldest first. */
  keysOf(tenant: string): ApiKeyRecord[] {
    return this.#options.directory.keys().filter((key) => key.tenant_id === tenant);
  }

  #expiry(days: unknown): string | null {
    if (days === undefined || days === null) return null;
    if (typeof days !== 'number' || !Number.isInteger(days) || days < 1 || days > EXPIRY_DAYS_MAX) {
      throw problem(
        'invalid_body',
        `'expires_in_days' must be a whole number from 1 to ${EXPIRY_DAYS_MAX}.`,
        {
          pointer: '/expires_in_days',
        },
      );
    }
    return formatTimestamp(micros(this.#options.clock.nowMicros() + days * MICROS_A_DAY));
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(change, change);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}

function requiredText(value: unknown, member: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= NAME_LENGTH_MAX)
    return value;
  throw problem(
    'invalid_body',
    `'${member}' must be a text of 1 to ${NAME_LENGTH_MAX} characters.`,
    { pointer: `/${member}` },
  );
}
