/**
 * Reads the append requests of one connection in the lane (service-kit's lane-connection.ts), and the other services' questions for the head. What is neither in its plain form it leaves to
 * Node's HTTP server: another route, another form, a refusal before the body. A client that leaves loses its answer, not its append.
 */
import { PROBLEM_CONTENT_TYPE, type Problem } from '@allsource/shared/errors';
import { HEAD_PATH } from '@allsource/shared/protocol';
import {
  type BodyHold,
  type LaneReader,
  type LaneTurn,
  problemBody,
  problemHeaderLines,
  toProblem,
} from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import type { AdmittedAppend, AppendAnswer, AppendRoute } from '../append-route.ts';
import type { HeadQuestions } from './head-questions.ts';
import { HeadReader, type PlainHead } from './plain-head.ts';

/** An answer of this size goes out as one string; a larger one as a head and its own bytes. */
const JOINED_BYTES_MAX = 4096;

export interface AppendReaderOptions {
  readonly turn: LaneTurn;
  readonly route: AppendRoute;
  readonly headQuestions: HeadQuestions;
  readonly httpMetrics: HttpMetrics;
}

/** A request whose body is being read. */
interface Reading {
  readonly hold: BodyHold;
  readonly admitted: AdmittedAppend;
  readonly startedAt: number;
  readonly head: Buffer;
  readonly parts: Buffer[];
  bytesMissing: number;
}

export class AppendReader implements LaneReader {
  readonly #options: AppendReaderOptions;
  readonly #turn: LaneTurn;
  readonly #heads = new HeadReader();
  #reading: Reading | null = null;

  constructor(options: AppendReaderOptions) {
    this.#options = options;
    this.#turn = options.turn;
  }

  get readingSince(): number | null {
    return this.#reading?.startedAt ?? null;
  }

  take(chunk: Buffer): void {
    if (this.#reading === null) this.#begin(chunk);
    else this.#continue(this.#reading, chunk);
  }

  left(): void {
    this.#reading?.hold.release();
    this.#reading = null;
  }

  #begin(chunk: Buffer): void {
    const head = this.#heads.read(chunk);
    if (head === null && this.#answerHead(chunk)) return;
    const begun = head === null ? null : this.#begun(head);
    if (head === null || begun === null) {
      this.#turn.handOver(chunk);
      return;
    }
    this.#turn.accept();
    this.#reading = {
      ...begun,
      startedAt: this.#turn.activeAt,
      head: chunk.subarray(0, head.bodyAt),
      parts: [],
      bytesMissing: head.bodyBytes,
    };
    this.#continue(this.#reading, chunk.subarray(head.bodyAt));
  }

  #answerHead(chunk: Buffer): boolean {
    const answer = this.#turn.isClosing ? null : this.#options.headQuestions.answerTo(chunk);
    if (answer === null) return false;
    const { socket, heads, activeAt } = this.#turn;
    this.#turn.accept();
    const head = heads.head({
      status: 200,
      bodyBytes: answer.length,
      headers: 'Cache-Control: no-store\r\n',
      isLast: false,
    });
    socket.write(head + answer, 'latin1');
    const durationMs = performance.now() - activeAt;
    const request = { method: 'GET', route: HEAD_PATH, status: 200, durationMs };
    this.#options.httpMetrics.count(request);
    return true;
  }

  /** Null: Node's server is to say what is wrong. It does so without reading the body, for which it has the means. */
  #begun(head: PlainHead): Pick<Reading, 'admitted' | 'hold'> | null {
    const { route } = this.#options;
    if (this.#turn.isClosing || head.bodyBytes > route.bodyBytesMax) return null;
    try {
      return { admitted: route.admit(head), hold: route.bodies.holdOf(head.bodyBytes) };
    } catch {
      // The same checks refuse it there, with an answer.
      return null;
    }
  }

  #continue(reading: Reading, chunk: Buffer): void {
    const { parts, bytesMissing } = reading;
    const own = chunk.length > bytesMissing ? chunk.subarray(0, bytesMissing) : chunk;
    parts.push(own);
    reading.bytesMissing -= own.length;
    if (reading.bytesMissing > 0) return;
    this.#reading = null;
    this.#turn.answering(chunk, own.length);
    this.#options.route.append(reading.admitted, parts).then(
      (answer) => this.#answer(reading, answer),
      (error: unknown) => this.#refuse(reading, toProblem(error)),
    );
  }

  #answer({ hold, admitted, startedAt }: Reading, answer: AppendAnswer): void {
    hold.release();
    const { bytes, release } = answer.body;
    const head = this.#turn.heads.head({
      status: 200,
      bodyBytes: bytes.length,
      headers: answerHeaders(answer),
      isLast: this.#turn.isClosing,
    });
    this.#write(head, bytes, release);
    this.#answered({ route: admitted.head.path, status: 200, startedAt });
  }

  #refuse({ hold, admitted, startedAt }: Reading, failure: Problem): void {
    hold.release();
    const { path } = admitted.head;
    const traceId = this.#options.route.noteRefusal(failure, path);
    const { status } = failure;
    const body = Buffer.from(
      problemBody(failure, { edge: 'core', context: { instance: path, traceId } }),
    );
    const head = this.#turn.heads.head({
      status,
      bodyBytes: body.length,
      contentType: PROBLEM_CONTENT_TYPE,
      headers: problemHeaderLines(failure),
      isLast: this.#turn.isClosing,
    });
    this.#write(head, body, () => undefined);
    this.#answered({ route: path, status, startedAt });
  }

  #write(head: string, body: Buffer, release: () => void): void {
    const { socket } = this.#turn;
    if (body.length <= JOINED_BYTES_MAX) {
      // Latin-1 there and back gives the same bytes.
      socket.write(head + body.toString('latin1'), 'latin1');
      release();
      return;
    }
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body, release);
    socket.uncork();
  }

  #answered(request: {
    readonly route: string;
    readonly status: number;
    readonly startedAt: number;
  }): void {
    const { route, status, startedAt } = request;
    const durationMs = this.#turn.answered() - startedAt;
    this.#options.httpMetrics.count({ method: 'POST', route, status, durationMs });
  }
}

function answerHeaders({ isReplay, schemaWarnings }: AppendAnswer): string {
  if (isReplay) return 'Idempotent-Replayed: true\r\n';
  return schemaWarnings > 0 ? `Schema-Warnings: ${schemaWarnings}\r\n` : '';
}
