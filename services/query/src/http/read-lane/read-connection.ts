/**
 * One connection in the read lane. It reads plain requests one after the other, and hands the connection over to Node's HTTP server, with every byte that it has not
 * answered, as soon as something else comes. After that it never touches the socket again, so there is no moment at which both read it.
 *
 * Order: one request at a time. Bytes that come while one is answered are kept, and the socket is paused; so a client that sends ahead costs one chunk. An answer that the
 * client does not read stops the reading of its next request.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Principal } from '@allsource/shared/access';
import { PROBLEM_CONTENT_TYPE, type Problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import {
  type LaneConnection,
  type LanePlace,
  Parameters,
  problemBody,
  REQUEST_ID,
  toProblem,
} from '@allsource/service-kit/http';
import type { LaneAnswer, ReadCall } from '../../reads/read-call.ts';
import { SocketAnswer } from './lane-answer.ts';
import { PlainRequests } from './plain-request.ts';
import type { Admission, AdmittedRead } from './admission.ts';

export interface AnsweredRead {
  /** The path pattern of the route. */
  readonly route: string;
  readonly principal: Principal;
  readonly status: number;
  readonly durationMs: number;
}

export interface ReadConnectionOptions extends LanePlace<ReadConnection> {
  readonly admission: Admission;
  readonly onAnswered: (answered: AnsweredRead) => void;
}

/** A request that is refused, and the headers that were set for its answer. */
interface Refused {
  readonly admitted: AdmittedRead;
  readonly requestId: string;
  readonly headerLines: string;
}

export class ReadConnection implements LaneConnection {
  readonly #options: ReadConnectionOptions;
  readonly #socket: Socket;
  readonly #requests = new PlainRequests();
  #isAnswering = false;
  /** What came while a request was answered. */
  #early: Buffer[] = [];
  #isEnded = false;
  #isClosing = false;
  #hasLeft = false;
  #activeAt = performance.now();
  #isFresh = true;

  constructor(options: ReadConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.on('data', this.#onData);
    this.#socket.on('end', this.#onEnd);
    this.#socket.on('error', this.#onError);
    this.#socket.on('close', this.#onClose);
    this.#socket.on('drain', this.#onDrain);
  }

  get activeAt(): number {
    return this.#activeAt;
  }

  get isIdle(): boolean {
    return !this.#isAnswering;
  }

  get isFresh(): boolean {
    return this.#isFresh;
  }

  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  close(): void {
    this.#isClosing = true;
    if (this.isIdle) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#activeAt = performance.now();
    if (!this.#isAnswering) {
      this.#begin(chunk);
      return;
    }
    this.#early.push(chunk);
    this.#socket.pause();
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
    const request = this.#isClosing ? null : this.#requests.read(chunk);
    const admitted =
      request === null ? null : this.#options.admission.admit(request.target, request.headers);
    if (request === null || admitted === null) {
      this.#handOver([chunk]);
      return;
    }
    this.#isFresh = false;
    this.#isAnswering = true;
    if (request.endsAt < chunk.length) {
      this.#early.push(chunk.subarray(request.endsAt));
      this.#socket.pause();
    }
    void this.#serve(admitted, this.#activeAt);
  }

  /** Serves one request. Never rejects. */
  async #serve(admitted: AdmittedRead, startedAt: number): Promise<void> {
    const requestId = requestIdOf(admitted.headers);
    const { socket, heads } = this.#options;
    const isLast = () => this.#isClosing;
    const answer = new SocketAnswer({ socket, heads, requestId, isLast });
    let status = 200;
    try {
      await admitted.route.handle(new LaneCall(admitted, answer));
      if (!answer.isEnded) socket.destroy();
    } catch (error) {
      const failure = toProblem(error);
      ({ status } = failure);
      if (answer.isBegun) socket.destroy();
      else this.#refuse(failure, { admitted, requestId, headerLines: answer.headerLines });
    }
    this.#answered(admitted, { status, startedAt });
  }

  #refuse(failure: Problem, { admitted, requestId, headerLines }: Refused): void {
    const [instance] = admitted.target.split('?', 1);
    const body = problemBody(failure, {
      edge: 'gateway',
      context: { instance: instance as string, traceId: requestId },
    });
    const head = this.#options.heads.head({
      status: failure.status,
      bodyBytes: Buffer.byteLength(body),
      contentType: PROBLEM_CONTENT_TYPE,
      headers: headerLines + (failure.status === 503 ? 'Retry-After: 1\r\n' : ''),
      isLast: this.#isClosing,
    });
    this.#socket.write(head + body);
  }

  #answered(
    { route, principal }: AdmittedRead,
    { status, startedAt }: { readonly status: number; readonly startedAt: number },
  ): void {
    this.#isAnswering = false;
    this.#activeAt = performance.now();
    const durationMs = this.#activeAt - startedAt;
    this.#options.onAnswered({ route: route.path, principal, status, durationMs });
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

/** A request of the lane, as the routes see it. */
class LaneCall implements ReadCall {
  readonly request: { readonly originalUrl: string };
  readonly response: LaneAnswer;
  readonly #admitted: AdmittedRead;
  #query: Parameters | null = null;

  constructor(admitted: AdmittedRead, response: LaneAnswer) {
    this.#admitted = admitted;
    this.response = response;
    this.request = { originalUrl: admitted.target };
  }

  get query(): Parameters {
    this.#query ??= Parameters.ofUrl(this.#admitted.target);
    return this.#query;
  }

  tenant(): string {
    return this.#admitted.tenant;
  }

  pathParameter(name: string): string {
    const value = this.#admitted.pathParameters[name];
    assert(value !== undefined, `the path has no parameter ${name}`);
    return value;
  }
}

function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}
