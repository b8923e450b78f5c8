/**
 * The lean lane of the reads that come most: queries over events, and one event by its id. Plain requests for them are served on the bare socket; a connection on which
 * anything else comes goes to Node's HTTP server, with every unanswered byte, and stays there (docs/decisions/0014-read-lane.md).
 *
 * It has no rules of its own: who may read, which tenant, the gate and the answers are those of the routes (event-routes.ts). Whoever is not admitted at once is
 * handed over, so refusals and keys that are not known yet are Node's on both ways.
 */
import type { Server } from 'node:http';
import { ConnectionLane } from '@allsource/service-kit/http';
import { AnswerBatch } from './answer-batch.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { type AnsweredRead, RequestReader } from './request-reader.ts';

export interface ReadLaneOptions extends AdmissionOptions {
  /** Does not listen yet. */
  readonly server: Server;
  readonly busyPollMs: number;
  /** Told of each request that came soon after an answer, with its moment. */
  readonly onSoon: (atMs: number) => void;
  /** Called when an answer has ended. */
  readonly onAnswered: (answered: AnsweredRead) => void;
}

/** Puts the lane in front of a server. */
export function openReadLane(options: ReadLaneOptions): ConnectionLane {
  const admission = new Admission(options);
  const batch = new AnswerBatch();
  const { server, busyPollMs, onSoon, onAnswered } = options;
  return new ConnectionLane({
    server,
    busyPollMs,
    onSoon,
    reader: (turn) => new RequestReader({ turn, admission, batch, onAnswered }),
  });
}
