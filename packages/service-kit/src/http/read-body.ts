import type { IncomingMessage } from 'node:http';
import { problem } from '@allsource/shared/errors';
import { invalidUtf8At, JsonScanner, JsonSyntaxError } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import type { BodyHold } from './body-room.ts';

/**
 * Reads a request's body, at most `bytesMax`. Throws `body_too_large` as soon as the declared or received length passes the limit, without
 * keeping what comes after.
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const parts = await readBodyParts(request, bytesMax);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

/** The same, in the parts that the body came in. `hold` has its bytes counted: at once where they are declared, else as they come. */
export async function readBodyParts(
  request: IncomingMessage,
  bytesMax: number,
  hold: BodyHold | null = null,
): Promise<readonly Buffer[]> {
  const length = request.headers['content-length'];
  const declared = Number(length ?? 0);
  if (declared > bytesMax) throw bodyTooLarge(bytesMax);
  hold?.grow(declared);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw problem(
      'unsupported_media_type',
      `Content-Encoding '${encoding}' is not accepted; send the body as it is.`,
    );
  }
  return collect(request, bytesMax, length === undefined ? hold : null);
}

// Not `for await`: leaving such a loop early destroys the request, and with it the socket on which the refusal is to be answered.
function collect(
  request: IncomingMessage,
  bytesMax: number,
  hold: BodyHold | null,
): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    let isRefused = false;
    const refuse = (error: unknown) => {
      isRefused = true;
      chunks.length = 0;
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      if (isRefused) return;
      bytes += chunk.length;
      if (bytes > bytesMax) {
        refuse(bodyTooLarge(bytesMax));
        return;
      }
      try {
        hold?.grow(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        refuse(error);
      }
    });
    request.once('end', () => resolve(chunks));
    request.once('error', () => reject(requestCutOff()));
    // It closes after its end too; the problem and its stack are made only when they are needed.
    request.once('close', () => {
      if (!request.readableEnded) reject(requestCutOff());
    });
  });
}

function requestCutOff(): Error {
  return problem('malformed_json', 'The request ended before its body did.');
}

function bodyTooLarge(bytesMax: number): Error {
  return problem(
    'body_too_large',
    `The body is over the limit of ${bytesMax} bytes. Send fewer events at a time.`,
    {
      limit_bytes: bytesMax,
    },
  );
}

/** Refuses a request whose content type is not JSON; none at all is taken as JSON. */
export function requireJson(request: Pick<IncomingMessage, 'headers'>): void {
  const type = request.headers['content-type'];
  if (type === undefined || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return;
  throw problem(
    'unsupported_media_type',
    `Content-Type '${type}' is not accepted here; send application/json.`,
    {
      accepted: ['application/json'],
    },
  );
}

const NDJSON = /^application\/(?:x-ndjson|ndjson|jsonl)\s*(?:;|$)/i;

/** True when the body is lines of JSON. */
export function isNdjson(request: IncomingMessage): boolean {
  return NDJSON.test(request.headers['content-type'] ?? '');
}

/** Throws a problem that names the first byte that is not UTF-8. */
export function requireUtf8(body: Uint8Array): void {
  const offset = invalidUtf8At(body);
  if (offset === null) return;
  throw problem('malformed_json', `The body is not valid UTF-8 at byte ${offset}.`, { offset });
}

/** Throws a problem unless the bytes are one JSON document of allowed depth. */
export function requireWellFormedJson(body: Uint8Array): void {
  requireUtf8(body);
  const scanner = new JsonScanner(body, LIMITS.jsonDepthMax);
  try {
    scanner.skipWhitespace();
    scanner.skipValue();
    scanner.expectEnd();
  } catch (error) {
    throw jsonProblem(error);
  }
}

/** Turns a scanner's error into the problem that answers it; anything else is returned as it is. */
export function jsonProblem(error: unknown): unknown {
  if (!(error instanceof JsonSyntaxError)) return error;
  if (error.tooDeep) {
    return problem('json_too_deep', `The body nests deeper than ${LIMITS.jsonDepthMax} levels.`, {
      limit_depth: LIMITS.jsonDepthMax,
      offset: error.offset,
    });
  }
  return problem('malformed_json', `The body is not JSON: ${error.message}.`, {
    offset: error.offset,
  });
}

/** Reads a small JSON object: content type, size, depth and shape are checked. Its members are still `unknown`. */
export async function readJsonObject(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Record<string, unknown>> {
  requireJson(request);
  const body = await readBody(request, bytesMax);
  requireWellFormedJson(body);
  const parsed: unknown = JSON.parse(body.toString('utf8'));
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
    return parsed as Record<string, unknown>;
  throw problem('invalid_body', 'The body must be a JSON object.');
}
