/**
 * Reads any number of events as one stream, in the order of the log. A stream that is cut (a restart, a network) goes on behind the last part that came through, at
 * the position that the first answer was true at: so the whole is what the store held at that one position, each event once.
 *
 * What a stream is made of is the caller's matter: it turns the bytes of an answer into parts, each of which says up to which position it is whole.
 */
import { STREAM_MEDIA_TYPES, type StreamFormat } from '@allsource/shared/protocol';
import { AllSourceError, badAnswer, unreachable } from '../http/allsource-error.ts';
import { pause } from '../http/pause.ts';
import { Backoff, type RetryNotice, type RetryPolicy } from '../http/retry.ts';
import type { Transport } from '../http/transport.ts';

/** Which events are exported; conditions that are not given do not apply. */
export interface ExportFilter {
  readonly entityId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly eventTypePrefix?: string | undefined;
  readonly excludeEventTypePrefix?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly asOf?: string | undefined;
  /** JSON text of the members that payloads must have. */
  readonly payloadFilter?: string | undefined;
  /** Most events in all; without it every one. */
  readonly limit?: number | undefined;
}

/** A part of an export: whole events, and nothing behind them. */
export interface ExportPart {
  readonly events: number;
  /** The position of its last event. */
  readonly lastPosition: number;
}

export interface ExportOptions<T extends ExportPart> {
  readonly format: StreamFormat;
  /** Turns the bytes of an answer into parts. Called again for each answer; a part that is cut off must not come. */
  readonly read: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<T>;
  readonly signal?: AbortSignal | undefined;
  /** Called when the first answer has begun. */
  readonly onStart?: ((start: ExportStart) => void) | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
}

export interface ExportStart {
  /** How many events there are; null when only reading them tells. */
  readonly count: number | null;
  /** The position of the log that the export is true at. */
  readonly position: number;
}

const PATH = '/api/v1/events/query';
/** How long nothing may come before the stream counts as cut. */
const SILENCE_MS_MAX = 60_000;

/** Yields the parts of an export. Throws an {@link AllSourceError} when an outage lasts too long, or when fewer events came than there are. */
export async function* exportEvents<T extends ExportPart>(
  store: { readonly transport: Transport; readonly policy: RetryPolicy },
  filter: ExportFilter,
  options: ExportOptions<T>,
): AsyncGenerator<T, void, undefined> {
  const run = new ExportRun(store.transport, filter, options);
  let backoff: Backoff | null = null;
  for (;;) {
    try {
      for await (const part of run.parts()) {
        backoff = null;
        yield part;
      }
      run.requireWhole();
      return;
    } catch (error) {
      if (!(error instanceof AllSourceError) || !error.retryable) throw error;
      backoff ??= new Backoff(store.policy);
      const delayMs = backoff.nextDelayMs(error.retryAfterMs);
      if (delayMs === null) throw error;
      options.onRetry?.({ error, delayMs, failingForMs: backoff.failingForMs });
      await pause(delayMs, options.signal);
    }
  }
}

/** How far an export has come, over all of its answers. */
class ExportRun<T extends ExportPart> {
  readonly #transport: Transport;
  readonly #filter: ExportFilter;
  readonly #options: ExportOptions<T>;
  #start: ExportStart | null = null;
  #lastPosition = 0;
  #events = 0;

  constructor(transport: Transport, filter: ExportFilter, options: ExportOptions<T>) {
    this.#transport = transport;
    this.#filter = filter;
    this.#options = options;
  }

  /** The parts of one answer, from where the one before was cut. */
  async *parts(): AsyncGenerator<T, void, undefined> {
    if (this.#events > 0 && this.#events === this.#filter.limit) return;
    const silence = new AbortController();
    const outer = this.#options.signal;
    const signal = outer === undefined ? silence.signal : AbortSignal.any([outer, silence.signal]);
    const timer = setTimeout(() => silence.abort(), SILENCE_MS_MAX);
    try {
      const response = await this.#open(signal);
      // What the reader throws about bytes that were cut off is not the failure to tell.
      const body = new Body(response, () => timer.refresh());
      try {
        for await (const part of this.#options.read(body.chunks())) {
          this.#lastPosition = part.lastPosition;
          this.#events += part.events;
          timer.refresh();
          yield part;
          timer.refresh();
        }
      } catch (error) {
        throw body.failure ?? error;
      }
      if (body.failure !== null) throw body.failure;
    } catch (error) {
      if (silence.signal.aborted && outer?.aborted !== true)
        throw unreachable('The export', new Error(`nothing came for ${SILENCE_MS_MAX} ms`));
      throw error;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  async #open(signal: AbortSignal): Promise<Response> {
    const response = await this.#transport.open({
      method: 'GET',
      path: PATH,
      query: this.#query(),
      headers: { accept: STREAM_MEDIA_TYPES[this.#options.format] },
      signal,
    });
    const mediaType = response.headers.get('content-type') ?? '';
    if (!mediaType.startsWith(STREAM_MEDIA_TYPES[this.#options.format])) {
      await response.body?.cancel();
      throw badAnswer(
        `it is '${mediaType}': this store does not export as ${this.#options.format}`,
      );
    }
    this.#start ??= this.#started(response.headers);
    return response;
  }

  #started(headers: Headers): ExportStart {
    const count = headers.get('x-allsource-count');
    const position = Number(headers.get('x-allsource-position') ?? Number.NaN);
    if (!Number.isSafeInteger(position)) throw badAnswer('it does not say its position');
    const start = { count: count === null ? null : Number(count), position };
    this.#options.onStart?.(start);
    return start;
  }

  #query() {
    const filter = this.#filter;
    return {
      entity_id: filter.entityId,
      event_type: filter.eventType,
      event_type_prefix: filter.eventTypePrefix,
      exclude_event_type_prefix: filter.excludeEventTypePrefix,
      since: filter.since,
      until: filter.until,
      as_of: filter.asOf,
      payload_filter: filter.payloadFilter,
      limit: filter.limit === undefined ? undefined : filter.limit - this.#events,
      order: 'position',
      from_position: this.#lastPosition + 1,
      until_position: this.#start?.position,
    };
  }

  /** Throws when the answers have ended and there should have been more. */
  requireWhole(): void {
    const count = this.#start?.count ?? null;
    if (count === null || count === this.#events) return;
    throw badAnswer(`it ended after ${this.#events} of ${count} events`);
  }
}

/** The bytes of an answer, and what cut them off. */
class Body {
  failure: AllSourceError | null = null;
  readonly #response: Response;
  readonly #onChunk: () => void;

  constructor(response: Response, onChunk: () => void) {
    this.#response = response;
    this.#onChunk = onChunk;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#response.body ?? []) {
        this.#onChunk();
        yield chunk;
      }
    } catch (error) {
      this.failure = unreachable('The export', error);
      throw this.failure;
    }
  }
}

const LINE_FEED = 0x0a;

/** Whole lines of NDJSON. */
export interface ExportedLines extends ExportPart {
  readonly bytes: Uint8Array;
}

/** Reads NDJSON as it comes. The lines are not parsed, but for the position of the last of each part. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ExportedLines, void, undefined> {
  let pieces: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const bytes = Buffer.concat([...pieces, chunk.subarray(0, end)]);
      pieces = [];
      yield { bytes, events: countLines(bytes), lastPosition: lastPosition(bytes) };
    }
    if (end < chunk.length) pieces.push(chunk.subarray(end));
  }
  if (pieces.length > 0) throw badAnswer('its last line is cut off');
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}

/** The position is the last member of a line, behind anything that a client wrote. */
function lastPosition(bytes: Buffer): number {
  const start = bytes.lastIndexOf(LINE_FEED, -2) + 1;
  const found = /"position":(\d{1,16})\}\s*$/.exec(
    bytes.toString('latin1', Math.max(start, bytes.length - 64)),
  );
  if (found === null) throw badAnswer('a line does not end with its position');
  return Number(found[1]);
}
