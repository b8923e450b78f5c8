import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/**
 * The bytes of a request as they come, read only when they are asked for, so that whoever is slow slows its client. Throws `stream_silent` when the
 * client sends nothing for `silenceMs` while it is waited for. Leaving early leaves the request alone, for its refusal has to be answered.
 */
export async function* bodyChunks(
  request: IncomingMessage,
  silenceMs: number = LIMITS.streamSilenceMs,
): AsyncGenerator<Buffer> {
  const chunks = request.iterator({ destroyOnReturn: false });
  let isWaiting = false;
  try {
    for (;;) {
      isWaiting = true;
      const next = await withinSilence(chunks.next(), silenceMs);
      isWaiting = false;
      if (next.done === true) return;
      yield next.value as Buffer;
    }
  } finally {
    // An iterator that waits for bytes ends with the request; asking it to would wait for them as well.
    if (!isWaiting) await chunks.return?.();
  }
}

async function withinSilence<T>(next: Promise<T>, silenceMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(silent(silenceMs)), silenceMs);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function silent(silenceMs: number): Problem {
  return problem(
    'stream_silent',
    `Nothing came for ${silenceMs} ms. What was acknowledged is stored; send the rest again, with the same Idempotency-Key from the start.`,
    { limit_ms: silenceMs },
  );
}

/** Refuses a request whose body is compressed. */
export function requireIdentityEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw problem(
    'unsupported_media_type',
    `Content-Encoding '${encoding}' is not accepted; send the body as it is.`,
  );
}
