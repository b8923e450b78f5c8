import type { Call } from '@allsource/service-kit/http';
import { writeWithBackPressure } from './back-pressure.ts';

const FLUSH_CHARACTERS = 64 * 1024;

/**
 * Answers 200 with JSON text that is made part by part, so that an answer of any size costs little memory and a slow client slows its
 * making. A short answer has a length; an error before the first flush is still answered as a problem, a later one cuts the connection.
 */
export async function answerJsonParts(call: Call, parts: AsyncIterable<string>): Promise<void> {
  const { response } = call;
  let pending = '';
  for await (const part of parts) {
    pending += part;
    if (pending.length < FLUSH_CHARACTERS) continue;
    if (!response.headersSent) startJson(call);
    if (!(await writeWithBackPressure(response, pending))) return;
    pending = '';
  }
  if (response.headersSent) response.end(pending);
  else call.json(200, pending);
}

function startJson({ response }: Call): void {
  response.status(200).setHeader('content-type', 'application/json; charset=utf-8');
}

/** The elements of a JSON list, with commas between them. */
export async function* jsonElements<T>(
  items: AsyncIterable<T>,
  print: (item: T) => string,
): AsyncGenerator<string> {
  let separator = '';
  for await (const item of items) {
    yield separator + print(item);
    separator = ',';
  }
}
