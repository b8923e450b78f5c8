/**
 * The question of the other services for the head, in the lane: every linearizable read waits for its answer, and on Node's server it costs more than many a read. A service asks
 * with the same bytes each time, so a question that was let in once is known by its bytes.
 */
import { timingSafeEqual } from 'node:crypto';
import { HEAD_PATH } from '@allsource/shared/protocol';
import { type Guard, PLAIN_LINES, plainHeaders } from '@allsource/service-kit/http';

const QUESTION = new RegExp(`^GET ${HEAD_PATH} HTTP/1\\.1(${PLAIN_LINES})\r\n\r\n$`);
const BYTES_MAX = 1024;

export interface HeadQuestionsOptions {
  readonly guard: Guard;
  /** The answer at this moment. */
  readonly answer: () => string;
}

export class HeadQuestions {
  readonly #options: HeadQuestionsOptions;
  #known: Buffer | null = null;

  constructor(options: HeadQuestionsOptions) {
    this.#options = options;
  }

  /** The body that answers a chunk. Null: it is not one whole, plain question of a service, and for Node's server. */
  answerTo(chunk: Buffer): string | null {
    if (!this.#isKnown(chunk) && !this.#isLetIn(chunk)) return null;
    return this.#options.answer();
  }

  /** The bytes hold a secret, so they are compared in the same time whatever they are. */
  #isKnown(chunk: Buffer): boolean {
    const known = this.#known;
    return known !== null && known.length === chunk.length && timingSafeEqual(known, chunk);
  }

  #isLetIn(chunk: Buffer): boolean {
    if (chunk.length > BYTES_MAX) return false;
    const lines = QUESTION.exec(chunk.toString('latin1'))?.[1];
    const headers = lines === undefined ? null : plainHeaders(lines);
    if (headers === null || headers['content-length'] !== undefined) return false;
    try {
      this.#options.guard({ headers }, 'internal');
    } catch {
      // The same check refuses it on Node's server, with an answer.
      return false;
    }
    this.#known = Buffer.from(chunk);
    return true;
  }
}
