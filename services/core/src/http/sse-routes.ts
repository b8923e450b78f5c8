/**
 * `GET /api/v1/events/sse`: the events of a tenant as server-sent events. Each has its position as `id`, so a client that reconnects with
 * `Last-Event-ID` gets everything after that position and then what comes, each event once. `from` does the same for a first connection (0 = the
 * whole history); with neither, only what comes. A slow client is waited for and reads on from the log, so nothing is dropped.
 *
 * The answer begins with an `id` without data, the position it is served from: a client that is cut off before its first event resumes there.
 * The heartbeat is a comment. Where events were filtered out since the last one, it is followed by an `id` without data: that moves a client's
 * `Last-Event-ID` on without an event, so a reconnect does not search the same stretch again.
 */
import type { Upcasts } from '@allsource/schemas/upcasting';
import type { Call, Route } from '@allsource/service-kit/http';
import type { Logger } from '@allsource/service-kit/observability';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, position, positionAfter, quoted } from '@allsource/shared/model';
import { type Frame, TypeFilter } from '@allsource/shared/protocol';
import { EventFilter } from '../feed/event-filter.ts';
import { askedTexts, type ReaderTexts } from '../feed/reader-texts.ts';
import type { DurableLog } from '../read/durable-log.ts';
import { LogTail } from '../read/log-tail.ts';
import { TenantMatcher } from '../read/tenant-matcher.ts';
import { writeWithBackPressure } from './back-pressure.ts';
import type { LiveConnection, LiveConnections } from './live-connections.ts';
import { type Authenticate, type LiveRight, rightOf } from './live-right.ts';

const HEARTBEAT_MS = 15_000;
const RECONNECT_MS = 1_000;

export interface SseRoutesOptions {
  readonly log: DurableLog;
  /** Brings payloads into the form that a reader asks for. */
  readonly upcasts: Upcasts;
  readonly connections: LiveConnections;
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  readonly heartbeatMs?: number;
}

/** The route of server-sent events. */
export function sseRoutes(options: SseRoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/events/sse',
      needs: 'read',
      summary: 'Events as they come, as server-sent events; resumes with Last-Event-ID or from.',
      handle: (call) => follow(call, options),
    },
  ];
}

async function follow(call: Call, options: SseRoutesOptions): Promise<void> {
  const { log, connections, authenticate } = options;
  const right = rightOf(call.request, call.tenant(), authenticate);
  const after = positionAsked(call, log.head) ?? log.head;
  const filter = filterAsked(call);
  const texts = askedTexts(call.query, options.upcasts);
  connections.requireRoom();
  const connection = new SseConnection({ ...options, call, right, after, filter, texts });
  connections.add(connection);
  try {
    await connection.run();
  } finally {
    connections.remove(connection);
  }
}

/** The position after which the client wants events; null = only what comes. The header of a reconnect wins over the URL. */
function positionAsked(call: Call, head: Position): Position | null {
  const header = call.request.headers['last-event-id'];
  const text = typeof header === 'string' && header !== '' ? header : call.query.text('from');
  if (text === null) return null;
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw problem(
      'invalid_parameter',
      `The position to resume after is ${quoted(text)}; allowed is a whole number from 0, as in the id of an event.`,
      { parameter: 'from' },
    );
  }
  const asked = Number(text);
  if (asked <= head) return position(asked);
  throw problem(
    'position_beyond_head',
    `Position ${asked} is beyond the latest event offset ${head}`,
    { position: asked, head },
  );
}

function filterAsked(call: Call): EventFilter {
  const patterns = call.query.texts('event_type');
  const entity = call.query.name('entity_id');
  if (patterns.length > LIMITS.filtersMax) {
    throw problem(
      'invalid_parameter',
      `'event_type' names ${patterns.length} types; at most ${LIMITS.filtersMax} are allowed.`,
      { parameter: 'event_type', limit: LIMITS.filtersMax },
    );
  }
  return new EventFilter({
    types: new TypeFilter(patterns),
    entities: entity === null ? [] : [entity],
  });
}

interface SseConnectionOptions extends SseRoutesOptions {
  readonly call: Call;
  readonly right: LiveRight;
  readonly after: Position;
  readonly filter: EventFilter;
  readonly texts: ReaderTexts;
}

class SseConnection implements LiveConnection {
  readonly #options: SseConnectionOptions;
  readonly #tail: LogTail;
  readonly #matcher: TenantMatcher;
  /** The position the client knows of. */
  #sent: Position;
  #writtenAt = performance.now();
  #isEnding = false;

  constructor(options: SseConnectionOptions) {
    this.#options = options;
    this.#sent = options.after;
    this.#tail = new LogTail({ log: options.log, from: positionAfter(options.after, 1) });
    this.#matcher = new TenantMatcher(options.right.tenant);
  }

  /** Sends events until the client goes, its right ends or the service stops. */
  async run(): Promise<void> {
    const { response } = this.#options.call;
    const stop = () => void this.#tail.close();
    response.once('close', stop);
    try {
      startEvents(this.#options.call, this.#sent);
      for (;;) {
        const frame = await this.#tail.next();
        if (frame === null || !(await this.#sendFrame(frame))) break;
      }
    } finally {
      response.off('close', stop);
      await this.#tail.close();
    }
    response.end();
  }

  async #sendFrame(frame: Frame): Promise<boolean> {
    if (!this.#matcher.owns(frame)) return true;
    const { filter, call, texts } = this.#options;
    for (const event of frame.events()) {
      if (event.position <= this.#sent || !filter.matches(event)) continue;
      const json = texts.positioned(event);
      const data = dataLines(typeof json === 'string' ? json : await json);
      const text = `id: ${event.position}\ndata: ${data}\n\n`;
      this.#sent = event.position;
      this.#writtenAt = performance.now();
      if (!(await writeWithBackPressure(call.response, text))) return false;
    }
    return true;
  }

  tick(): void {
    const { right, call, logger, heartbeatMs = HEARTBEAT_MS } = this.#options;
    if (this.#isEnding) return this.terminate();
    const fault = right.fault();
    if (fault !== null) {
      logger.info({ tenant: right.tenant, fault }, 'event stream ended: its right has ended');
      return this.endForShutdown();
    }
    if (call.response.writableNeedDrain || performance.now() - this.#writtenAt < heartbeatMs)
      return;
    this.#writtenAt = performance.now();
    call.response.write(`: heartbeat\n\n${this.#passedText()}`);
  }

  #passedText(): string {
    const passed = this.#tail.position;
    // Only at the head is every event up to there written; in between a frame may be half sent.
    if (!this.#tail.isAtHead || passed <= this.#sent) return '';
    this.#sent = passed;
    return `id: ${passed}\n\n`;
  }

  endForShutdown(): void {
    this.#isEnding = true;
    void this.#tail.close();
    this.#options.call.response.end();
  }

  terminate(): void {
    this.#options.call.response.destroy();
  }
}

function startEvents({ response }: Call, after: Position): void {
  response.status(200);
  response.setHeader('content-type', 'text/event-stream; charset=utf-8');
  response.setHeader('x-accel-buffering', 'no');
  response.write(`retry: ${RECONNECT_MS}\n: connected\n\nid: ${after}\n\n`);
}

/** A client's JSON may hold line breaks between its tokens; each line of an event's data begins with the field's name. */
function dataLines(json: string): string {
  return json.replaceAll(/\r\n|\r|\n/g, '\ndata: ');
}
