/**
 * Decides who a request comes from. The presented text is looked up as an API key first, literally, because bootstrap keys have no fixed
 * form; only then is it tried as a JWT. Tokens are accepted with one algorithm (HS256) under the one configured secret: nothing in
 * a token's header chooses how it is checked.
 */
import type { IncomingHttpHeaders } from 'node:http';
import jwt from 'jsonwebtoken';
import { type Problem, problem } from '../errors/problem.ts';
import { tenantIdFault } from '../model/names.ts';
import type { AccessDirectory, ApiKeyRecord } from './access-directory.ts';
import { hashApiKey } from './api-key.ts';
import { presentedSecret } from './credentials.ts';
import { type Principal, parseRole } from './principal.ts';

export const TOKEN_ISSUER = 'allsource';
const TOKEN_CLOCK_TOLERANCE_S = 5;
/** Keys in use whose hashes are kept at hand. */
const HASHES_MAX = 1024;

export interface AuthenticatorOptions {
  readonly directory: AccessDirectory;
  /** The HS256 secret; null when no tokens are accepted. */
  readonly jwtSecret: string | null;
  /** In dev mode a request without a valid secret is an admin of `devTenant`. */
  readonly devTenant: string | null;
  readonly nowMs: () => number;
}

export type AuthOutcome =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | { readonly kind: 'refused'; readonly problem: Problem };

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /**
   * The hashes of keys that were recognized. A hash takes as long as a tenth of an append. A look-up here compares a whole secret only with one whose own, secretly seeded
   * hash in the map is the same, so its time tells nothing of a key.
   */
  readonly #hashes = new Map<string, string>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Who presents these headers, or why nobody is recognized. */
  authenticate(headers: IncomingHttpHeaders): AuthOutcome {
    const outcome = this.#recognize(presentedSecret(headers));
    const { devTenant } = this.#options;
    if (outcome.kind === 'principal' || devTenant === null) return outcome;
    return { kind: 'principal', principal: devPrincipal(devTenant) };
  }

  #recognize(secret: string | null): AuthOutcome {
    if (secret === null) {
      return refused(
        'Present an API key as "Authorization: Bearer <key>" or in the X-API-Key header.',
      );
    }
    const key = this.#keyOf(secret);
    return key === undefined ? this.#recognizeToken(secret) : this.#recognizeKey(key);
  }

  #keyOf(secret: string): ApiKeyRecord | undefined {
    const { directory } = this.#options;
    const known = this.#hashes.get(secret);
    if (known !== undefined) return directory.keyByHash(known);
    const hash = hashApiKey(secret);
    const key = directory.keyByHash(hash);
    if (key === undefined) return undefined;
    if (this.#hashes.size >= HASHES_MAX) this.#hashes.clear();
    this.#hashes.set(secret, hash);
    return key;
  }

  #recognizeKey(key: ApiKeyRecord): AuthOutcome {
    if (!key.active) return refused('This API key has been revoked.');
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.#options.nowMs())
      return refused('This API key has expired.');
    const { id, name, role, tenant_id: tenantId, expiresAtMs } = key;
    return {
      kind: 'principal',
      principal: { kind: 'api_key', id, name, role, tenantId, expiresAtMs },
    };
  }

  #recognizeToken(token: string): AuthOutcome {
    const { jwtSecret } = this.#options;
    if (jwtSecret === null || token.split('.').length !== 3)
      return refused('The API key or token is not valid.');
    const claims = verifiedClaims(token, jwtSecret, Math.floor(this.#options.nowMs() / 1000));
    if (claims === null)
      return refused('The token is not valid: its signature, issuer or time does not fit.');
    const { sub, tenant_id: tenantId, role: roleClaim, exp, username } = claims;
    const role = typeof roleClaim === 'string' ? parseRole(roleClaim) : null;
    if (
      typeof sub !== 'string' ||
      sub === '' ||
      typeof tenantId !== 'string' ||
      tenantIdFault(tenantId) !== null ||
      role === null
    ) {
      return refused('The token lacks a usable sub, tenant_id or role.');
    }
    if (typeof exp !== 'number')
      return refused('The token does not expire (exp); such tokens are not accepted.');
    const name = typeof username === 'string' ? username : sub;
    return {
      kind: 'principal',
      principal: { kind: 'token', id: sub, name, role, tenantId, expiresAtMs: exp * 1000 },
    };
  }
}

function refused(detail: string): AuthOutcome {
  return { kind: 'refused', problem: problem('unauthenticated', detail) };
}

function verifiedClaims(
  token: string,
  secret: string,
  nowSeconds: number,
): Record<string, unknown> | null {
  try {
    const verified = jwt.verify(token, secret, {
      algorithms: ['HS256'],
      issuer: TOKEN_ISSUER,
      clockTimestamp: nowSeconds,
      clockTolerance: TOKEN_CLOCK_TOLERANCE_S,
      complete: true,
    });
    // RFC 7515: a header with extensions marked critical must be refused by who does not know them, and none are known here.
    if (Object.hasOwn(verified.header, 'crit') || typeof verified.payload === 'string') return null;
    return { ...verified.payload };
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError || error instanceof SyntaxError) return null;
    throw error;
  }
}

function devPrincipal(tenantId: string): Principal {
  return {
    kind: 'dev',
    id: 'dev-user',
    name: 'dev-user',
    tenantId,
    role: 'admin',
    expiresAtMs: null,
  };
}
