/**
 * What clients and readers of a simulated core have been told, and whether a log keeps it. A client's request carries its own number in every payload, so each commit of the
 * log is known to be of one request.
 */
import { createHash } from 'node:crypto';
import type { Frame } from '@allsource/shared/protocol';

/** One request of a client; it may be sent several times when it has a key. */
export interface WorldRequest {
  readonly number: number;
  readonly tenant: string;
  readonly key: string | null;
  readonly events: readonly {
    readonly entity: string;
    readonly payload: Buffer;
    readonly expectedVersion: number | null;
  }[];
  /** The frame of the answer, as bytes; null while none is known. */
  answer: Buffer | null;
  /** True when every answer so far said for sure that nothing was stored. */
  isSurelyAbsent: boolean;
}

export interface Conflict {
  readonly tenant: string;
  readonly entity: string;
  readonly current: number;
}

export class WorldHistory {
  readonly requests: WorldRequest[] = [];
  readonly conflicts: Conflict[] = [];
  readonly #trace = createHash('sha256');

  /** Adds a line to the trace, which is the same whenever the same seed runs. */
  note(line: string): void {
    this.#trace.update(line).update('\n');
  }

  traceHash(): string {
    return this.#trace.copy().digest('hex');
  }

  /** How a whole log breaks what was promised; empty when it keeps it. */
  breaches(frames: readonly Frame[]): string[] {
    const found: string[] = [];
    const commits = new Map<number, Frame>();
    const versions = new Map<string, number>();
    let position = 0;
    let recordedAt = 0;
    for (const frame of frames) {
      if (frame.position !== position + 1) found.push(`no event at position ${position + 1}`);
      position = frame.lastPosition;
      if (frame.recordedAt < recordedAt) found.push(`recorded_at goes back at ${position}`);
      recordedAt = frame.recordedAt;
      found.push(...versionBreaches(frame, versions));
      const number = requestNumber(frame);
      if (commits.has(number)) found.push(`request ${number} is stored twice`);
      commits.set(number, frame);
      found.push(...this.#commitBreaches(number, frame));
    }
    for (const request of this.requests) found.push(...answerBreaches(request, commits));
    for (const { tenant, entity, current } of this.conflicts)
      if ((versions.get(`${tenant} ${entity}`) ?? 0) < current)
        found.push(`a conflict told of version ${current} of ${entity}, which is lost`);
    return found;
  }

  #commitBreaches(number: number, frame: Frame): string[] {
    const request = this.requests[number];
    if (request === undefined) return [`nobody sent request ${number}`];
    const { events } = request;
    const isWhole =
      frame.tenant === request.tenant &&
      frame.eventCount === events.length &&
      events.every(({ payload }, i) => frame.event(i).payload.equals(payload));
    if (!isWhole) return [`request ${number} is not stored as it was sent`];
    return events.flatMap(({ expectedVersion }, i) =>
      expectedVersion === null || frame.event(i).version === expectedVersion + 1
        ? []
        : [`request ${number} is stored although its condition did not hold`],
    );
  }
}

function versionBreaches(frame: Frame, versions: Map<string, number>): string[] {
  const found: string[] = [];
  for (const event of frame.events()) {
    const stream = `${frame.tenant} ${event.entity}`;
    const expected = (versions.get(stream) ?? 0) + 1;
    if (event.version !== expected)
      found.push(`${stream} has version ${event.version} where ${expected} belongs`);
    versions.set(stream, event.version);
  }
  return found;
}

function answerBreaches(request: WorldRequest, commits: ReadonlyMap<number, Frame>): string[] {
  const { number, answer, isSurelyAbsent } = request;
  const commit = commits.get(number);
  if (answer !== null && commit?.bytes.equals(answer) !== true)
    return [`request ${number} was acknowledged and is not in the log as it was answered`];
  if (answer === null && isSurelyAbsent && commit !== undefined)
    return [`request ${number} was refused for sure and is in the log`];
  return [];
}

/** The number of the request that a commit came from. */
export function requestNumber(frame: Frame): number {
  const { r } = JSON.parse(frame.event(0).payload.toString('utf8')) as { r: number };
  return r;
}
