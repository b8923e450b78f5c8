/** The forms of an answer that is a stream of events, besides JSON. */
export type StreamFormat = 'ndjson' | 'arrow';

export const STREAM_MEDIA_TYPES: Readonly<Record<StreamFormat, string>> = {
  ndjson: 'application/x-ndjson',
  arrow: 'application/vnd.apache.arrow.stream',
};

const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);

/**
 * The form that an Accept header asks for; null is JSON. The highest quality wins, of equal ones the first named. A header that names nothing
 * that is offered is answered with JSON, as ever.
 */
export function streamFormatOf(accept: string | undefined): StreamFormat | null {
  // Nearly all headers name neither, and this is asked for every read.
  if (accept === undefined || !/x-ndjson|arrow\.stream/i.test(accept)) return null;
  let best: { readonly format: StreamFormat | null; readonly quality: number } | null = null;
  for (const part of accept.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const format = formatNamed(name);
    const quality = qualityOf(parameters);
    if (format === undefined || quality === 0) continue;
    if (best === null || quality > best.quality) best = { format, quality };
  }
  return best?.format ?? null;
}

/** Null is JSON; undefined is nothing that is offered. */
function formatNamed(name: string): StreamFormat | null | undefined {
  if (name === STREAM_MEDIA_TYPES.ndjson) return 'ndjson';
  if (name === STREAM_MEDIA_TYPES.arrow) return 'arrow';
  return JSON_TYPES.has(name) ? null : undefined;
}

function qualityOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
  const quality = given === undefined ? 1 : Number(given.slice(given.indexOf('=') + 1));
  return Number.isNaN(quality) ? 1 : quality;
}
