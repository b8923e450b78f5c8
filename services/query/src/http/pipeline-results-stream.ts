/**
 * The rows of a pipeline as server-sent events: first those that have changed behind the position asked for (`since`, or `Last-Event-ID` of a reconnect; the whole table
 * without), then each change soon after it is saved. A row that has gone comes with the value null. Of changes that come faster than they are read, the
 * last one of each row counts.
 *
 * The id of a message is the position up to which everything was sent before it, so who reconnects with it misses nothing and may see the rows of one position twice. When the
 * pipeline is reset or removed, the stream says so (`event: reset`, `event: removed`) and ends.
 */
import type { ServerResponse } from 'node:http';
import type { LiveConnections } from '@allsource/service-kit/forward';
import type { Call } from '@allsource/service-kit/http';
import { Problem, problem } from '@allsource/shared/errors';
import { deferred } from '@allsource/shared/lang';
import { quoted } from '@allsource/shared/model';
import type { ChangeMark, PipelineResults } from '../pipelines/pipeline-results.ts';
import type { ForcedPipeline } from '../pipelines/pipeline-runtime.ts';
import type { Pipelines } from '../pipelines/pipelines.ts';
import type { PipelineReads } from './pipeline-reads.ts';
import { rowJson } from './pipeline-row-json.ts';

const PAGE_ROWS = 200;
/** How often the caller's right and the pipeline are looked at, and the connection is shown to live. */
const TICK_MS = 2_000;
const HEARTBEAT_TICKS = 7;
const RECONNECT_MS = 1_000;

export interface FollowingOptions {
  readonly pipelines: Pipelines;
  readonly results: PipelineResults;
  readonly reads: PipelineReads;
  readonly live: LiveConnections;
  /** Throws when the caller may no longer read. */
  readonly requireReader: (call: Call) => void;
}

/** Follows the rows of a pipeline until the client goes, its right ends, the pipeline is reset or removed, or the service stops. */
export async function followResults(
  call: Call,
  pipeline: ForcedPipeline,
  options: FollowingOptions,
): Promise<void> {
  const since = sinceAsked(call);
  const following = new Following({ ...options, call, pipeline, since });
  const release = options.live.admit(() => following.end());
  try {
    await following.run();
  } finally {
    release();
  }
}

function sinceAsked(call: Call): number {
  const header = call.request.headers['last-event-id'];
  const text = typeof header === 'string' && header !== '' ? header : call.query.text('since');
  if (text === null) return 0;
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw problem(
    'invalid_parameter',
    `The position to resume after is ${quoted(text)}; allowed is a whole number from 0.`,
    { parameter: 'since' },
  );
}

interface FollowedCall extends FollowingOptions {
  readonly call: Call;
  readonly pipeline: ForcedPipeline;
  /** The position behind which changes are wanted. */
  readonly since: number;
}

class Following {
  readonly #call: Call;
  readonly #pipeline: ForcedPipeline;
  readonly #options: FollowingOptions;
  readonly #file: string;
  #mark: ChangeMark;
  #wake: () => void = () => {};
  #isEnded = false;
  #ticks = 0;

  constructor(options: FollowedCall) {
    const { call, pipeline, since } = options;
    this.#call = call;
    this.#pipeline = pipeline;
    this.#options = options;
    this.#file = options.pipelines.fileOf(pipeline);
    this.#mark = { position: since, key: '\u{10ffff}' };
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async run(): Promise<void> {
    const { response } = this.#call;
    const { tenant, document } = this.#pipeline;
    const release = this.#options.reads.runtime.onSaved(tenant, document.id, () => this.#wake());
    const timer = setInterval(() => this.#tick(), TICK_MS);
    response.once('close', () => this.end());
    try {
      this.#begin(response);
      while (!this.#isEnded) {
        const woken = this.#nextWake();
        if (!(await this.#sendPage()) && !this.#isEnded) await woken;
      }
    } finally {
      clearInterval(timer);
      release();
    }
    response.end();
  }

  #begin(response: ServerResponse): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${RECONNECT_MS}\n: connected\n\nid: ${this.#mark.position}\n\n`);
  }

  #nextWake(): Promise<void> {
    const woken = deferred<void>();
    this.#wake = woken.resolve;
    return woken.promise;
  }

  /** Sends what has changed. False when there is nothing more. */
  async #sendPage(): Promise<boolean> {
    const ended = this.#endedBecause();
    if (ended !== null) return this.#say(ended);
    const rows = this.#options.results.changes(this.#file, this.#mark, PAGE_ROWS);
    const last = rows.at(-1);
    if (last === undefined) return false;
    const text = rows
      .map((row) => `id: ${row.position - 1}\ndata: ${dataLines(rowJson(row))}\n\n`)
      .join('');
    this.#mark = { position: last.position, key: last.key };
    const isAll = this.#options.results.changes(this.#file, this.#mark, 1).length === 0;
    await this.#write(isAll ? `${text}id: ${last.position}\n\n` : text);
    return true;
  }

  async #write(text: string): Promise<void> {
    const { response } = this.#call;
    if (response.write(text) || response.closed) return;
    const settled = deferred<void>();
    response.once('drain', settled.resolve);
    response.once('close', settled.resolve);
    await settled.promise;
    response.off('drain', settled.resolve);
    response.off('close', settled.resolve);
  }

  #say(event: string): false {
    this.#call.response.write(`event: ${event}\ndata: {}\n\n`);
    this.end();
    return false;
  }

  /** Why there is nothing more to follow; null while there is. */
  #endedBecause(): 'reset' | 'removed' | null {
    const { tenant, document } = this.#pipeline;
    try {
      const { run } = this.#options.pipelines.one(tenant, document.id).document;
      return run === document.run ? null : 'reset';
    } catch (error) {
      if (error instanceof Problem) return 'removed';
      throw error;
    }
  }

  #tick(): void {
    this.#ticks += 1;
    try {
      this.#options.requireReader(this.#call);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return this.end();
    }
    const { response } = this.#call;
    if (this.#ticks % HEARTBEAT_TICKS === 0 && !response.writableNeedDrain)
      response.write(': heartbeat\n\n');
    this.#wake();
  }
}

/** JSON of a client may hold line breaks between its tokens; each line of an event's data begins with the field's name. */
function dataLines(json: string): string {
  return json.replaceAll(/\r\n|\r|\n/g, '\ndata: ');
}
