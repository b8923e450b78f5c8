import {
  createServer,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { type ErrorEdge, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { allowLongRequests } from './long-requests.ts';
import { PendingAnswers } from './pending-answers.ts';
import { sendProblem } from './send-problem.ts';
import { Upgrades, type WebSocketListener } from './upgrades.ts';

export interface HttpServerOptions extends Pick<ServerOptions, 'highWaterMark'> {
  /** In whose form requests that reach no route are refused. */
  readonly edge: ErrorEdge;
  /** Left out where there are no WebSockets: who asks for one is served as if it had not. */
  readonly onWebSocket?: WebSocketListener;
}

/**
 * The HTTP server of a service: with the limit on headers, with requests that may take long (long-requests.ts), with no upgrades but to WebSockets (upgrades.ts), and with a
 * problem wherever Node would refuse a request with an empty body. A refusal of this server closes the connection.
 */
export function createHttpServer(
  { edge, highWaterMark, onWebSocket }: HttpServerOptions,
  listener: RequestListener,
): Server {
  const server = createServer(
    {
      maxHeaderSize: LIMITS.headerBytesMax,
      highWaterMark,
      requireHostHeader: false,
      shouldUpgradeCallback: (request) => upgrades.isTaken(request),
    },
    (request, response) => {
      if (!upgrades.isServed(request, response)) return;
      const isHostMissing = request.headers.host === undefined && request.httpVersion === '1.1';
      if (isHostMissing) refuseWithoutHost(response, edge);
      else listener(request, response);
    },
  );
  // Headers are limited by their bytes. By a number of them Node would leave out the rest, one of which may say how long the body is.
  server.maxHeadersCount = 0;
  const answers = new PendingAnswers(server);
  const upgrades = new Upgrades({ server, edge, answers, onWebSocket: onWebSocket ?? null });
  allowLongRequests(server, { edge, answers });
  server.on('checkExpectation', (request, response) => {
    const failure = problem(
      'expectation_failed',
      `The header expect is "${request.headers.expect}"; "100-continue" is the only one that can be met. Send the request without it.`,
      { allowed: ['100-continue'] },
    );
    response.setHeader('connection', 'close');
    sendProblem(response, failure, { edge });
  });
  return server;
}

function refuseWithoutHost(response: ServerResponse, edge: ErrorEdge): void {
  const failure = problem(
    'malformed_request',
    'The request has no header host, which HTTP/1.1 asks for. Send it with the name or address that the URL names.',
  );
  response.setHeader('connection', 'close');
  sendProblem(response, failure, { edge });
}
