/**
 * The secret with which the three services recognize each other. It is given in the environment, or lives in a file that core makes on
 * its first start (readable by its owner only) and that the other services wait for. The file is made under another name
 * and linked into place, so a reader sees the whole token or no file.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';

const TOKEN_BYTES = 32;
const POLL_MS = 100;

export interface InternalTokenSource {
  readonly dataDir: string;
  readonly internalToken: string | null;
  readonly internalTokenFile: string | null;
}

function tokenFile(source: InternalTokenSource): string {
  return source.internalTokenFile ?? join(source.dataDir, 'internal-token');
}

/** The token; makes the file when there is none. For core only: one maker. */
export function obtainInternalToken(source: InternalTokenSource): string {
  if (source.internalToken !== null) return source.internalToken;
  const file = tokenFile(source);
  if (!existsSync(file)) createTokenFile(file);
  return readFileSync(file, 'utf8').trim();
}

function createTokenFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, randomBytes(TOKEN_BYTES).toString('base64url'), {
    mode: 0o600,
    flush: true,
  });
  linkSync(draft, file);
  rmSync(draft);
}

/** The token; waits for core to make the file, at most `timeoutMs`. Throws a problem `starting` when it does not come. */
export async function awaitInternalToken(
  source: InternalTokenSource,
  timeoutMs: number,
): Promise<string> {
  if (source.internalToken !== null) return source.internalToken;
  const file = tokenFile(source);
  for (let waitedMs = 0; !existsSync(file); waitedMs += POLL_MS) {
    if (waitedMs >= timeoutMs) {
      throw problem(
        'starting',
        `The internal token file ${file} did not appear within ${timeoutMs} ms. Is core running?`,
      );
    }
    await sleep(POLL_MS);
  }
  return readFileSync(file, 'utf8').trim();
}
