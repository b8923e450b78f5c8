/**
 * Core's head, asked for once for everybody who waits at that moment.
 *
 * A linearizable read may use a head only if core gave it after the read began: an answer that is already on its way may lie
 * before a write that the reader knows of. So a call that comes while a request is under way joins the next one, never that
 * one. However many readers there are, one request runs and at most one is due. Where core posts its head in memory, all who ask in one turn of the event loop share one look, made when the turn has ended.
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import { HEAD_PATH } from '@allsource/shared/protocol';
import { type CoreEndpoint, coreUnreachable, readAnswer } from './core-endpoint.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import type { FollowerTimers } from './follower-timers.ts';
import type { HeadLine } from './head-line.ts';
import type { PostedHead } from './posted-head.ts';

const LOG_ID = /^[0-9a-f]{16}$/;

/** What core said of its log. */
export interface CoreHead {
  readonly head: Position;
  /** The log's id as hex. */
  readonly logId: string;
  /** What the asking sink had applied when the question left. Core's head of the same log lies at or beyond it. */
  readonly appliedWhenAsked: Position;
}

export interface SharedHeadOptions {
  readonly endpoint: CoreEndpoint;
  /** The short way to core; null where there is none. */
  readonly line: HeadLine | null;
  readonly posted: PostedHead;
  readonly timers: FollowerTimers;
  readonly appliedPosition: () => Position;
}

export class SharedHead {
  readonly #options: SharedHeadOptions;
  /** The log that core has last named. */
  #logId: string | null = null;
  /** The look that has not been made yet, and may still be joined. */
  #look: Promise<CoreHead> | null = null;
  /** The question that is under way. */
  #running: Promise<CoreHead> | null = null;
  /** The question that has not been sent yet, and may still be joined. */
  #due: Promise<CoreHead> | null = null;

  constructor(options: SharedHeadOptions) {
    this.#options = options;
  }

  /** Core's head at a moment after this call, as core has posted it or says when asked. Throws `upstream_unavailable`. */
  latest(): Promise<CoreHead> {
    this.#look ??= this.#lookDue();
    return this.#look;
  }

  async #lookDue(): Promise<CoreHead> {
    await nextTurn();
    this.#look = null;
    const appliedWhenAsked = this.#options.appliedPosition();
    const head = this.#options.posted.read();
    // A head behind what was applied is for core to explain.
    if (head === null || this.#logId === null || head < appliedWhenAsked) return await this.ask();
    return { head, logId: this.#logId, appliedWhenAsked };
  }

  /** What core itself says of its log at a moment after this call. Throws `upstream_unavailable`. */
  ask(): Promise<CoreHead> {
    this.#due ??= this.#askDue();
    return this.#due;
  }

  async #askDue(): Promise<CoreHead> {
    if (this.#running !== null) await Promise.allSettled([this.#running]);
    // All that arrived together join in.
    await nextTurn();
    this.#due = null;
    const running = this.#request();
    this.#running = running;
    try {
      return await running;
    } finally {
      if (this.#running === running) this.#running = null;
    }
  }

  async #request(): Promise<CoreHead> {
    const appliedWhenAsked = this.#options.appliedPosition();
    const text = (await this.#askLine()) ?? (await this.#exchange(true));
    const { head, logId, writer } = parseHead(text);
    this.#logId = logId;
    this.#options.posted.follow(logId, writer);
    return { head, logId, appliedWhenAsked };
  }

  /** Null: ask in the usual way. */
  async #askLine(): Promise<string | null> {
    const { line, timers } = this.#options;
    if (line === null) return null;
    const cancel = timers.after(FOLLOWER_LIMITS.headTimeoutMs, () => line.hangUp());
    try {
      return await line.ask();
    } finally {
      cancel();
    }
  }

  async #exchange(mayRepeat: boolean): Promise<string> {
    const { endpoint, timers } = this.#options;
    const request = endpoint.get(HEAD_PATH);
    const cancel = timers.after(FOLLOWER_LIMITS.headTimeoutMs, () =>
      request.destroy(
        problem('upstream_unavailable', `no answer within ${FOLLOWER_LIMITS.headTimeoutMs} ms`),
      ),
    );
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).on('error', reject);
      });
      const text = await readAnswer(response);
      if (response.statusCode === 200) return text;
      throw problem(
        'upstream_unavailable',
        `${response.statusCode} ${STATUS_CODES[response.statusCode ?? 0] ?? ''}: ${text.slice(0, 300)}`,
      );
    } catch (error) {
      // A kept connection that core closes at this moment says nothing about core: ask once more on a fresh one.
      if (mayRepeat && request.reusedSocket && isConnectionReset(error))
        return await this.#exchange(false);
      throw coreUnreachable(HEAD_PATH, asError(error));
    } finally {
      cancel();
    }
  }
}

function isConnectionReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new TypeError(String(error));
}

function parseHead(text: string): { head: Position; logId: string; writer: string | null } {
  const answer = parseObject(text);
  const { head, log_id: logId, writer } = answer;
  if (
    typeof head !== 'number' ||
    !Number.isSafeInteger(head) ||
    head < 0 ||
    typeof logId !== 'string' ||
    !LOG_ID.test(logId)
  ) {
    throw problem(
      'upstream_unavailable',
      `Core's answer to GET ${HEAD_PATH} is no head: ${text.slice(0, 100)}. Do the services have the same version?`,
    );
  }
  return { head: position(head), logId, writer: typeof writer === 'string' ? writer : null };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // Text that is no JSON is no head; the caller says so.
    return {};
  }
}
