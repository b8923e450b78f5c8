/** Tenants, keys, and who one is. */
import { ROLES } from '../../protocol/system-events.ts';
import { TENANT_ID_LENGTH_MAX } from '../../model/names.ts';
import { instant, list, named, object, orNull, text, uuid, whole, wordOf } from '../json-schema.ts';
import { answer, body, type RouteDocs } from '../route-doc.ts';
import { tenantText } from '../shapes/events.ts';

const NAME = text(undefined, { minLength: 1, maxLength: 200 });
const EXPIRY_DAYS_MAX = 3650;

/** What a client sends to make a tenant. */
export const NEW_TENANT = object(
  {
    id: tenantText(`1 to ${TENANT_ID_LENGTH_MAX} letters, digits, - or _.`),
  },
  { name: NAME },
);

export const ACCESS: RouteDocs = {
  'GET /auth/me': {
    id: 'whoAmI',
    tag: 'Access',
    tenant: false,
    answers: { 200: answer('Who the key or token stands for.', named('Principal')) },
  },
  'GET /auth/api-keys': {
    id: 'listApiKeys',
    tag: 'Access',
    answers: { 200: answer('The keys, oldest first.', list(named('ApiKey'))) },
  },
  'POST /auth/api-keys': {
    id: 'createApiKey',
    tag: 'Access',
    description: 'The answer is the only one that shows the key.',
    body: body(
      object(
        { name: NAME },
        {
          role: wordOf([...ROLES, 'read_only', 'service_account', 'service']),
          tenant_id: orNull(tenantText('The tenant of the key; that of the caller when left out.')),
          expires_in_days: orNull(whole(undefined, { min: 1, max: EXPIRY_DAYS_MAX })),
        },
      ),
      { name: 'billing', role: 'serviceaccount', expires_in_days: 90 },
    ),
    answers: {
      201: answer(
        'The key.',
        object({ id: uuid(), name: text(), key: text(), expires_at: orNull(instant()) }),
      ),
    },
    errors: ['invalid_body', 'tenant_not_found'],
  },
  'DELETE /auth/api-keys/:keyId': {
    id: 'revokeApiKey',
    tag: 'Access',
    answers: { 204: { description: 'It is revoked, everywhere and for open streams too.' } },
    errors: ['not_found'],
  },
  'GET /tenants': {
    id: 'listTenants',
    tag: 'Access',
    tenant: false,
    answers: { 200: answer('All tenants.', list(named('Tenant'))) },
  },
  'POST /tenants': {
    id: 'createTenant',
    tag: 'Access',
    tenant: false,
    body: body(NEW_TENANT, { id: 'acme', name: 'Acme Ltd' }),
    answers: { 201: answer('The tenant.', named('Tenant')) },
    errors: ['invalid_body', 'invalid_tenant_id', 'tenant_exists'],
  },
};
