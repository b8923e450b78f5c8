/**
 * The lean lane of the append routes (docs/decisions/0010-append-lane.md): plain append requests, and the other services' questions for the head, are served on the bare socket, and a connection on which anything else comes
 * goes to Node's HTTP server (append-reader.ts).
 *
 * It has no rules of its own: authentication, limits and answers are those of append-route.ts on both ways.
 */
import type { Server } from 'node:http';
import { ConnectionLane } from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import type { AppendRoute } from '../append-route.ts';
import { AppendReader } from './append-reader.ts';
import type { HeadQuestions } from './head-questions.ts';

export interface AppendLaneOptions {
  readonly server: Server;
  readonly route: AppendRoute;
  readonly headQuestions: HeadQuestions;
  readonly httpMetrics: HttpMetrics;
  readonly busyPollMs: number;
  /** Told of each request that came soon after an answer, with its moment. */
  readonly onSoon: (atMs: number) => void;
}

/** Puts the lane in front of a server that does not listen yet. */
export function openAppendLane({
  server,
  route,
  headQuestions,
  httpMetrics,
  busyPollMs,
  onSoon,
}: AppendLaneOptions): ConnectionLane {
  return new ConnectionLane({
    server,
    busyPollMs,
    onSoon,
    reader: (turn) => new AppendReader({ turn, route, headQuestions, httpMetrics }),
  });
}
