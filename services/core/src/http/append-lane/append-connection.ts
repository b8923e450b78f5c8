/**
 * One connection in the append lane. It reads plain append requests one after the other, and hands the connection over to Node's HTTP server, with every byte
 * that it has not answered, as soon as something else comes: another route, another form, a refusal before the body. After that it never touches the
 * socket again, so there is no moment at which both read it.
 *
 * Order: one request at a time. Bytes that come while an append is on its way are kept, and the socket is paused; so a client that sends ahead costs one
 * chunk. An answer that the client does not read stops the reading of its next request. A client that leaves loses its answer, not its append.
 */
import type { Socket } from 'node:net';
import { PROBLEM_CONTENT_TYPE, type Problem } from '@allsource/shared/errors';
import {
  type LaneConnection,
  type LanePlace,
  problemBody,
  toProblem,
} from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import type { AdmittedAppend, AppendAnswer, AppendRoute } from '../append-route.ts';
import { readPlainHead } from './plain-head.ts';

/** An answer of this size goes out as one string; a larger one as a head and its own bytes. */
const JOINED_BYTES_MAX = 4096;

export interface AppendConnectionOptions extends LanePlace<AppendConnection> {
  readonly route: AppendRoute;
  readonly httpMetrics: HttpMetrics;
}

/** A request whose body is being read. */
interface Reading {
  readonly admitted: AdmittedAppend;
  readonly startedAt: number;
  readonly head: Buffer;
  readonly parts: Buffer[];
  bytesMissing: number;
}

export class AppendConnection implements LaneConnection {
  readonly #options: AppendConnectionOptions;
  readonly #socket: Socket;
  #reading: Reading | null = null;
  #isAnswering = false;
  /** What came while an append was on its way. */
  #early: Buffer[] = [];
  #isEnded = false;
  #isClosing = false;
  #hasLeft = false;
  #activeAt = performance.now();
  #isFresh = true;

  constructor(options: AppendConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.on('data', this.#onData);
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('error', this.#onError);
    this.#socket.on('close', this.#onClose);
    this.#socket.on('drain', this.#onDrain);
  }

  /** When it last did anything, on the clock of `performance.now`. */
  get activeAt(): number {
    return this.#activeAt;
  }

  /** No request is being read or answered. */
  get isIdle(): boolean {
    return this.#reading === null && !this.#isAnswering;
  }

  /** No request has come yet. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** An append is on its way; it will be answered. */
  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  /** Ends the connection, after the answer that is due. */
  close(): void {
    this.#isClosing = true;
    if (this.isIdle) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#activeAt = performance.now();
    if (this.#isAnswering) {
      this.#early.push(chunk);
      this.#socket.pause();
    } else if (this.#reading === null) this.#begin(chunk);
    else this.#continue(this.#reading, chunk);
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    if (!this.#isAnswering) this.#socket.end();
  };

  // A broken connection is its client's matter; 'close' follows.
  readonly #onError = (): void => undefined;

  readonly #onClose = (): void => this.#leave();

  readonly #onDrain = (): void => {
    if (!this.#isAnswering) this.#next();
  };

  #begin(chunk: Buffer): void {
    const head = readPlainHead(chunk);
    const admitted = head === null ? null : this.#admitted(head);
    if (head === null || admitted === null) {
      this.#handOver([chunk]);
      return;
    }
    this.#isFresh = false;
    this.#reading = {
      admitted,
      startedAt: this.#activeAt,
      head: chunk.subarray(0, head.bodyAt),
      parts: [],
      bytesMissing: head.bodyBytes,
    };
    this.#continue(this.#reading, chunk.subarray(head.bodyAt));
  }

  /** Null: Node's server is to say what is wrong. It does so without reading the body, for which it has the means. */
  #admitted(head: NonNullable<ReturnType<typeof readPlainHead>>): AdmittedAppend | null {
    if (this.#isClosing || head.bodyBytes > this.#options.route.bodyBytesMax) return null;
    try {
      return this.#options.route.admit(head);
    } catch {
      // The same check refuses it there, with an answer.
      return null;
    }
  }

  #continue(reading: Reading, chunk: Buffer): void {
    const { parts } = reading;
    if (chunk.length > reading.bytesMissing) {
      this.#early.push(chunk.subarray(reading.bytesMissing));
      this.#socket.pause();
      parts.push(chunk.subarray(0, reading.bytesMissing));
      reading.bytesMissing = 0;
    } else {
      parts.push(chunk);
      reading.bytesMissing -= chunk.length;
    }
    if (reading.bytesMissing > 0) return;
    this.#reading = null;
    this.#isAnswering = true;
    this.#options.route.append(reading.admitted, parts).then(
      (answer) => this.#answer(reading, answer),
      (error: unknown) => this.#refuse(reading, toProblem(error)),
    );
  }

  #answer({ admitted, startedAt }: Reading, answer: AppendAnswer): void {
    const { bytes, release } = answer.body;
    const head = this.#options.heads.head({
      status: 200,
      bodyBytes: bytes.length,
      headers: answerHeaders(answer),
      isLast: this.#isClosing,
    });
    this.#write(head, bytes, release);
    this.#answered({ route: admitted.head.path, status: 200, startedAt });
  }

  #refuse({ admitted, startedAt }: Reading, failure: Problem): void {
    const { path } = admitted.head;
    const traceId = this.#options.route.noteRefusal(failure, path);
    const { status } = failure;
    const body = Buffer.from(
      problemBody(failure, { edge: 'core', context: { instance: path, traceId } }),
    );
    const head = this.#options.heads.head({
      status,
      bodyBytes: body.length,
      contentType: PROBLEM_CONTENT_TYPE,
      headers: status === 503 ? 'Retry-After: 1\r\n' : '',
      isLast: this.#isClosing,
    });
    this.#write(head, body, () => undefined);
    this.#answered({ route: path, status, startedAt });
  }

  #write(head: string, body: Buffer, release: () => void): void {
    const socket = this.#socket;
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
    this.#isAnswering = false;
    this.#activeAt = performance.now();
    const durationMs = this.#activeAt - startedAt;
    this.#options.httpMetrics.count({ method: 'POST', route, status, durationMs });
    if (this.#isClosing || (this.#isEnded && this.#early.length === 0)) this.#socket.end();
    else if (!this.#socket.writableNeedDrain) this.#next();
  }

  /** Goes on with what came early, if anything did. */
  #next(): void {
    const early = this.#early;
    if (early.length === 0) return;
    this.#early = [];
    this.#socket.resume();
    this.#onData(early.length === 1 ? (early[0] as Buffer) : Buffer.concat(early));
  }

  #handOver(unread: readonly Buffer[]): void {
    const socket = this.#socket;
    this.#leave();
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.off('drain', this.#onDrain);
    for (const chunk of unread.toReversed()) socket.unshift(chunk);
    this.#options.handOver(socket);
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#options.onLeft(this);
  }
}

function answerHeaders({ isReplay, schemaWarnings }: AppendAnswer): string {
  if (isReplay) return 'Idempotent-Replayed: true\r\n';
  return schemaWarnings > 0 ? `Schema-Warnings: ${schemaWarnings}\r\n` : '';
}
