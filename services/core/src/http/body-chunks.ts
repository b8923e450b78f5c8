import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/**
 * The bytes of a request as they come, read only when they are asked for, so that whoever is slow slows its client. Throws `stream_silent` when the
 * client sends nothing for `silenceMs` while it is waited for. Leaving early leaves the request alone, for its refusal has to be answered.
 *
 * Not `for await` over the request: that joins what has come meanwhile into a fresh buffer of up to a megabyte, which costs more than scanning it.
 */
export async function* bodyChunks(
  request: IncomingMessage,
  silenceMs: number = LIMITS.streamSilenceMs,
): AsyncGenerator<Buffer> {
  const arrived: Buffer[] = [];
  let isEnded = false;
  let isClosed = false;
  let change = Promise.withResolvers<void>();
  const onData = (chunk: Buffer) => {
    request.pause();
    arrived.push(chunk);
    change.resolve();
  };
  const onEnd = () => {
    isEnded = true;
    change.resolve();
  };
  const onClose = () => {
    isClosed = true;
    change.resolve();
  };
  request.on('data', onData).once('end', onEnd).once('close', onClose);
  try {
    for (;;) {
      yield* arrived.splice(0);
      if (arrived.length > 0) continue;
      if (isEnded) return;
      if (isClosed || request.destroyed) throw cutOff();
      change = Promise.withResolvers();
      request.resume();
      await withinSilence(change.promise, silenceMs);
    }
  } finally {
    request.off('data', onData).off('end', onEnd).off('close', onClose);
    request.pause();
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

function cutOff(): Problem {
  return problem('malformed_json', 'The request ended before its body did.');
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
