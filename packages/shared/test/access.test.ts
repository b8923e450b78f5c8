import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  AccessDirectory,
  Authenticator,
  generateApiKey,
  hashApiKey,
  presentedSecret,
  resolveTenant,
} from '../src/access/index.ts';
import { micros, position, version } from '../src/model/index.ts';
import { encodeFrame } from '../src/protocol/index.ts';

const SECRET = 'a-secret-of-at-least-thirty-two-characters';
const NOW_MS = 1_790_000_000_000;

function directory(
  events: readonly { readonly type: string; readonly payload: object }[],
): AccessDirectory {
  const fold = new AccessDirectory();
  if (events.length === 0) return fold;
  fold.apply(
    encodeFrame({
      logId: Buffer.alloc(8, 1),
      position: position(1),
      recordedAt: micros(NOW_MS * 1000),
      durablePosition: position(0),
      previousChecksum: 0,
      tenant: Buffer.from('_system'),
      isSystem: true,
      idempotency: null,
      events: events.map(({ type, payload }, i) => ({
        id: Buffer.alloc(16, i + 1),
        timestamp: micros(NOW_MS * 1000),
        version: version(1),
        previousPosition: position(0),
        partition: 0,
        type: Buffer.from(type),
        entity: Buffer.from(`e${i}`),
        payload: Buffer.from(JSON.stringify(payload)),
        metadata: null,
      })),
    }),
  );
  return fold;
}

function keyEvent(id: string, key: string, over: object = {}) {
  const payload = {
    id,
    name: id,
    key_hash: hashApiKey(key),
    key_prefix: '',
    tenant_id: 'acme',
    role: 'developer',
    expires_at: null,
    ...over,
  };
  return { type: '_system.api_key.created', payload };
}

function authenticator(fold: AccessDirectory, devTenant: string | null = null): Authenticator {
  return new Authenticator({ directory: fold, jwtSecret: SECRET, devTenant, nowMs: () => NOW_MS });
}

function part(value: object | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString(
    'base64url',
  );
}

function token(
  header: object | string,
  claims: object | string,
  secret: string | null = SECRET,
): string {
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${secret === null ? '' : createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const HS256 = { alg: 'HS256', typ: 'JWT' };
const CLAIMS = {
  sub: 'u1',
  tenant_id: 'acme',
  role: 'readonly',
  iss: 'allsource',
  iat: NOW_MS / 1000,
  exp: NOW_MS / 1000 + 60,
};

describe('the presented secret', () => {
  it.each([
    [{ authorization: 'Bearer abc' }, 'abc'],
    [{ authorization: 'bearer   abc ' }, 'abc'],
    [{ authorization: 'abc' }, 'abc'],
    [{ authorization: 'Bearer', 'x-api-key': 'k' }, 'k'],
    [{ authorization: 'Bearer ' }, null],
    [{ 'x-api-key': 'k' }, 'k'],
    [{}, null],
  ])('of %j is %j', (headers, secret) => {
    expect(presentedSecret(headers)).toBe(secret);
  });
});

describe('the authenticator', () => {
  it('knows keys by their hash, literal ones too, and refuses revoked and expired ones', () => {
    const fold = directory([
      keyEvent('k1', 'test-key'),
      keyEvent('k2', 'revoked-key'),
      keyEvent('k3', 'expired-key', { expires_at: '2020-01-01T00:00:00Z' }),
      { type: '_system.api_key.revoked', payload: { id: 'k2' } },
    ]);
    const outcome = (key: string) => authenticator(fold).authenticate({ 'x-api-key': key });
    expect(outcome('test-key')).toMatchObject({
      kind: 'principal',
      principal: { id: 'k1', tenantId: 'acme', role: 'developer' },
    });
    for (const key of ['revoked-key', 'expired-key', generateApiKey(), 'test-ke', 'test-key2'])
      expect(outcome(key).kind).toBe('refused');
  });

  it('accepts an HS256 token of ours', () => {
    const outcome = authenticator(directory([])).authenticate({
      authorization: `Bearer ${token(HS256, CLAIMS)}`,
    });
    expect(outcome).toMatchObject({
      kind: 'principal',
      principal: { kind: 'token', id: 'u1', tenantId: 'acme', role: 'readonly' },
    });
  });

  const forged: [string, string][] = [
    ...['none', 'None', 'NONE', 'nOnE', ''].map((alg): [string, string] => [
      `alg ${alg}`,
      token({ alg }, CLAIMS, null),
    ]),
    ...['none', 'HS384', 'HS512', 'RS256', 'ES256', 'hs256', 'PS256'].map(
      (alg): [string, string] => [`signed alg ${alg}`, token({ alg }, CLAIMS)],
    ),
    ['no alg', token({ typ: 'JWT' }, CLAIMS)],
    ['crit', token({ ...HS256, crit: ['exp'] }, CLAIMS)],
    ['other secret', token(HS256, CLAIMS, `${SECRET}x`)],
    ['empty secret', token(HS256, CLAIMS, '')],
    ['space before the secret', token(HS256, CLAIMS, ` ${SECRET}`)],
    ['expired', token(HS256, { ...CLAIMS, exp: NOW_MS / 1000 - 60 })],
    ['not yet', token(HS256, { ...CLAIMS, nbf: NOW_MS / 1000 + 60 })],
    ['no exp', token(HS256, { ...CLAIMS, exp: undefined })],
    ['exp text', token(HS256, { ...CLAIMS, exp: '9999999999' })],
    ['other issuer', token(HS256, { ...CLAIMS, iss: 'someone' })],
    ['no issuer', token(HS256, { ...CLAIMS, iss: undefined })],
    ['no tenant', token(HS256, { ...CLAIMS, tenant_id: undefined })],
    ['tenant list', token(HS256, { ...CLAIMS, tenant_id: ['acme'] })],
    ['system tenant', token(HS256, { ...CLAIMS, tenant_id: '_system' })],
    ['tenant path', token(HS256, { ...CLAIMS, tenant_id: '../x' })],
    ['unknown role', token(HS256, { ...CLAIMS, role: 'root' })],
    ['no role', token(HS256, { ...CLAIMS, role: undefined })],
    ['no sub', token(HS256, { ...CLAIMS, sub: undefined })],
    ['empty sub', token(HS256, { ...CLAIMS, sub: '' })],
    ['claims no object', token(HS256, '"text"')],
    ['claims no JSON', token(HS256, '{')],
    ['header no JSON', token('{', CLAIMS)],
    ['kid path', token({ alg: 'none', kid: '../../dev/null' }, CLAIMS, null)],
    ['jku', token({ alg: 'RS256', jku: 'http://localhost/keys' }, CLAIMS)],
    ['two parts', token(HS256, CLAIMS).split('.').slice(0, 2).join('.')],
    ['cut signature', token(HS256, CLAIMS).slice(0, -2)],
    ['four parts', `${token(HS256, CLAIMS)}.x`],
    ['dots', '...'],
  ];

  it.each(forged)('refuses a forged token: %s', (_name, text) => {
    expect(
      authenticator(directory([])).authenticate({ authorization: `Bearer ${text}` }).kind,
    ).toBe('refused');
  });

  it('in dev mode takes a caller without a key for an admin, and still honours a valid key', () => {
    const auth = authenticator(directory([keyEvent('k1', 'test-key')]), 'default');
    expect(auth.authenticate({})).toMatchObject({
      principal: { kind: 'dev', tenantId: 'default', role: 'admin' },
    });
    expect(auth.authenticate({ 'x-api-key': 'test-key' })).toMatchObject({
      principal: { id: 'k1', tenantId: 'acme' },
    });
  });
});

function principalOf(role: 'admin' | 'developer') {
  return {
    kind: 'api_key',
    id: 'k',
    name: 'k',
    tenantId: 'acme',
    role,
    expiresAtMs: null,
  } as const;
}

function refusalFor(tenant: string, fold: AccessDirectory): string {
  try {
    return resolveTenant(principalOf('developer'), tenant, fold);
  } catch (error) {
    return String(error).replace(tenant, '?');
  }
}

describe('the tenant of a request', () => {
  const fold = directory([
    { type: '_system.tenant.created', payload: { id: 'acme', name: 'Acme' } },
    { type: '_system.tenant.created', payload: { id: 'globex', name: 'Globex' } },
  ]);

  it('is the caller’s own, or for an admin any that exists', () => {
    expect(resolveTenant(principalOf('developer'), null, fold)).toBe('acme');
    expect(resolveTenant(principalOf('developer'), 'acme', fold)).toBe('acme');
    expect(resolveTenant(principalOf('admin'), 'globex', fold)).toBe('globex');
    expect(() => resolveTenant(principalOf('admin'), 'nobody', fold)).toThrow(/no tenant 'nobody'/);
  });

  it('is refused in the same words whether the other tenant exists or not', () => {
    expect(refusalFor('globex', fold)).toBe(refusalFor('nobody', fold));
    expect(refusalFor('globex', fold)).toMatch(/belongs to one tenant/);
  });
});
