/**
 * Reads the plain requests of one connection in the read lane (service-kit's lane-connection.ts), one after the other. What is none, or is not admitted at once, it leaves to Node's
 * HTTP server.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '@allsource/shared/access';
import { PROBLEM_CONTENT_TYPE, type Problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import { Parameters } from '@allsource/shared/protocol';
import {
  type LaneReader,
  type LaneTurn,
  problemBody,
  problemHeaderLines,
  REQUEST_ID,
  toProblem,
} from '@allsource/service-kit/http';
import type { LaneAnswer, ReadCall } from '../../reads/read-call.ts';
import type { AnswerBatch } from './answer-batch.ts';
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

export interface RequestReaderOptions {
  readonly turn: LaneTurn;
  readonly admission: Admission;
  /** One for all connections. */
  readonly batch: AnswerBatch;
  readonly onAnswered: (answered: AnsweredRead) => void;
}

/** A request that is refused, and the headers that were set for its answer. */
interface Refused {
  readonly admitted: AdmittedRead;
  readonly requestId: string;
  readonly headerLines: string;
}

export class RequestReader implements LaneReader {
  /** A request is one chunk. */
  readonly readingSince = null;
  readonly #options: RequestReaderOptions;
  readonly #turn: LaneTurn;
  readonly #requests = new PlainRequests();

  constructor(options: RequestReaderOptions) {
    this.#options = options;
    this.#turn = options.turn;
  }

  take(chunk: Buffer): void {
    const request = this.#turn.isClosing ? null : this.#requests.read(chunk);
    const admitted =
      request === null ? null : this.#options.admission.admit(request.target, request.headers);
    if (request === null || admitted === null) {
      this.#turn.handOver(chunk);
      return;
    }
    this.#turn.accept();
    this.#turn.answering(chunk, request.endsAt);
    void this.#serve(admitted, this.#turn.activeAt);
  }

  /** Serves one request. Never rejects. */
  async #serve(admitted: AdmittedRead, startedAt: number): Promise<void> {
    const requestId = requestIdOf(admitted.headers);
    const { socket, heads } = this.#turn;
    const isLast = () => this.#turn.isClosing;
    const answer = new SocketAnswer({
      socket,
      heads,
      requestId,
      isLast,
      batch: this.#options.batch,
    });
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
    const head = this.#turn.heads.head({
      status: failure.status,
      bodyBytes: Buffer.byteLength(body),
      contentType: PROBLEM_CONTENT_TYPE,
      headers: headerLines + problemHeaderLines(failure),
      isLast: this.#turn.isClosing,
    });
    this.#turn.socket.write(head + body);
  }

  #answered(
    { route, principal }: AdmittedRead,
    { status, startedAt }: { readonly status: number; readonly startedAt: number },
  ): void {
    const durationMs = this.#turn.answered() - startedAt;
    this.#options.onAnswered({ route: route.path, principal, status, durationMs });
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
