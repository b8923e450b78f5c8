import type { IncomingMessage } from 'node:http';
import { type Problem, problem } from '@allsource/shared/errors';

/** The members of an error body of another service; null for a text that is no JSON object. */
export function parsedError(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : null;
  } catch {
    // A text that is no JSON is no problem of ours; the caller says so.
    return null;
  }
}

/** What stands in for an error that cannot be read. */
export function unreadableError(status: number): Problem {
  return problem(
    'upstream_unavailable',
    `A service behind this one answered ${status} without a readable reason.`,
    { upstream_status: status },
  );
}

/** The text of an answer that refuses, up to a number of bytes. Throws when the answer breaks off. */
export async function readErrorText(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
