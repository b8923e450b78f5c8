import type { Call, Route } from '@allsource/service-kit/http';
import { type Position, position } from '@allsource/shared/model';
import { FEED_CONTENT_TYPE, FEED_PATH, HEAD_PATH } from '@allsource/shared/protocol';
import type { CommitFeed } from '../feed/commit-feed.ts';
import type { HeadPost } from '../feed/head-post.ts';
import type { DurableLog } from '../read/durable-log.ts';
import { writeWithBackPressure } from './back-pressure.ts';

export interface FeedRoutesOptions {
  readonly feed: CommitFeed;
  readonly head: HeadAnswer;
}

/** Answers a question for the head. */
export class HeadAnswer {
  readonly #log: DurableLog;
  readonly #behindHead: string;

  /** `post`: where the head is posted as well; null: nowhere. */
  constructor(log: DurableLog, post: HeadPost | null) {
    this.#log = log;
    const about = { log_id: log.logId.toString('hex') };
    const writer = post === null ? {} : { writer: post.writer.toString('hex') };
    this.#behindHead = JSON.stringify({ ...about, ...writer }).slice(1);
  }

  /** The answer at this moment. */
  get text(): string {
    return `{"head":${this.#log.head},${this.#behindHead}`;
  }
}

/** The routes by which the other services follow core's log; see shared/protocol/feed.ts. */
export function feedRoutes(options: FeedRoutesOptions): Route[] {
  const { feed, head } = options;
  return [
    {
      method: 'GET',
      path: FEED_PATH,
      needs: 'internal',
      summary:
        'The log as frames, from a position on; stays open and follows unless "to" is given.',
      handle: (call) => sendFeed(call, feed),
    },
    {
      method: 'GET',
      path: HEAD_PATH,
      needs: 'internal',
      summary: 'How far the log reaches, and which log it is.',
      handle: (call) => call.json(200, head.text),
    },
  ];
}

async function sendFeed(call: Call, feed: CommitFeed): Promise<void> {
  const { response } = call;
  const request = {
    from: positionParameter(call, 'from') ?? position(1),
    to: positionParameter(call, 'to'),
    onlySystem: call.query.choice('only', ['system']) !== null,
  };
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.setHeader('content-type', FEED_CONTENT_TYPE);
  response.flushHeaders();
  const reader = { write: (bytes: Buffer) => writeWithBackPressure(response, bytes) };
  await feed.send(request, reader, gone.signal);
  response.end();
}

function positionParameter(call: Call, name: string): Position | null {
  const value = call.query.integer(name, { min: 1, max: Number.MAX_SAFE_INTEGER });
  return value === null ? null : position(value);
}
