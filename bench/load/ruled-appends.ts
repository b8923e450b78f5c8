/**
 * Appends that ask for rules: an idempotency key for the request, an expected version for each event. Every variant sends the same number of bytes and does
 * the same work before it sends (a number is written into each event, a key into the head), so a difference between them is the server's.
 */
import { randomUUID } from 'node:crypto';
import { benchEvent } from '../event.ts';
import type { LoopClient } from './closed-loop.ts';
import { requireSuccess } from './http-clients.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import type { RuledAppendJob } from './job.ts';

const NUMBER_BYTES = 8;
const NO_NUMBER = ' '.repeat(NUMBER_BYTES - 1).concat('0');
const KEY_MARK = 'idempotency-key-of-this-request-----';

/** A client with entities of its own, so that it knows their version without asking. */
export async function ruledAppender(job: RuledAppendJob): Promise<LoopClient> {
  const connection = await HttpConnection.open(job.target.url);
  const request = requestTemplate(job);
  const numbersAt = placesBehind(request, job.expectedVersions ? VERSION_MEMBER : OTHER_MEMBER);
  const keyAt = request.indexOf(KEY_MARK);
  let version = 0;
  return {
    async call() {
      // Spaces before a number are JSON, so it can change in place.
      const number = String(version).padStart(NUMBER_BYTES);
      for (const place of numbersAt) request.write(number, place, 'latin1');
      request.write(randomUUID(), keyAt, 'latin1');
      requireSuccess(await connection.send(request));
      version += 1;
    },
    close: () => Promise.resolve(connection.close()),
  };
}

const VERSION_MEMBER = '"expected_version":';
/** As long as the other, and a member of the metadata, which core does not look into. */
const OTHER_MEMBER = '"number_of_append":';

function requestTemplate(job: RuledAppendJob): Buffer {
  const name = randomUUID();
  const events = Array.from({ length: job.eventsPerCall }, (_, index) =>
    eventTemplate(job, `${name}-${index}`),
  );
  const keyHeader = job.idempotencyKeys ? 'Idempotency-Key' : 'X-Of-No-Meaning';
  return requestBytes({
    method: 'POST',
    path: '/api/v1/events/batch',
    apiKey: job.target.apiKey,
    headers: { [keyHeader]: KEY_MARK },
    body: `{"events":[${events.join(',')}]}`,
  });
}

function eventTemplate(job: RuledAppendJob, entity: string): string {
  const { type, payload } = benchEvent({ entity, bytes: job.eventBytes });
  const members = `"event_type":"${type}","entity_id":"${entity}","payload":${payload}`;
  return job.expectedVersions
    ? `{${members},"metadata":{},${VERSION_MEMBER}${NO_NUMBER}}`
    : `{${members},"metadata":{${OTHER_MEMBER}${NO_NUMBER}}}`;
}

function placesBehind(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1))
    places.push(at + mark.length);
  return places;
}
