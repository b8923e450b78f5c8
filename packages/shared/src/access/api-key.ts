import { hash, randomBytes } from 'node:crypto';

const PREFIX = 'ask_';
const SECRET_BYTES = 32;

/** Makes an API key: `ask_` and 32 random bytes in base64url. Shown to its owner once; only its hash is kept. */
export function generateApiKey(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
}

/** The SHA-256 of a key's text in hex: what is stored and looked up, so that a lookup compares no secret byte by byte. */
export function hashApiKey(key: string): string {
  return hash('sha256', key, 'hex');
}

/** The part of a key that lists may show. Short literal keys show nothing. */
export function apiKeyPrefix(key: string): string {
  return key.startsWith(PREFIX)
    ? key.slice(0, 8)
    : `${key.slice(0, Math.min(2, Math.floor(key.length / 4)))}…`;
}
