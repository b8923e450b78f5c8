/** Full replays of a filled log to one Node consumer: core's feed, and an ordered consumer of JetStream. */
import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import {
  FEED_PATH,
  FeedDecoder,
  type Frame,
  INTERNAL_TOKEN_HEADER,
} from '@allsource/shared/protocol';
import { summarize } from '../statistics.ts';
import type { LoadResult, ReplayJob } from './job.ts';

/** Runs the replay. Throws when it gave another number of events than asked for. */
export async function runReplay(job: ReplayJob): Promise<LoadResult> {
  const replay = job.target.client === 'nats' ? replayJetStream : replayFeed;
  const startedAt = performance.now();
  const { events, bytes } = await replay(job);
  const seconds = (performance.now() - startedAt) / 1000;
  if (events !== job.events)
    throw new Error(`The replay gave ${events} events instead of ${job.events}.`);
  const note = `${Math.round(bytes / events)} bytes an event`;
  return { calls: 1, events, seconds, retries: 0, latency: summarize([]), note };
}

interface Replayed {
  readonly events: number;
  readonly bytes: number;
}

async function replayFeed(job: ReplayJob): Promise<Replayed> {
  const response = await openFeed(job);
  const decoder = new FeedDecoder();
  let events = 0;
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    for (const message of decoder.push(chunk as Buffer)) {
      if (message.kind !== 'frame') continue;
      if (job.takes === 'events') parseFrame(message.frame);
      events += message.frame.eventCount;
    }
  }
  return { events, bytes };
}

async function openFeed(job: ReplayJob): Promise<IncomingMessage> {
  const url = new URL(`${FEED_PATH}?from=1&to=${job.events}`, job.target.url);
  const headers = { [INTERNAL_TOKEN_HEADER]: job.internalToken };
  const [response] = (await once(get(url, { headers }), 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`The feed answered ${response.statusCode}.`);
  return response;
}

/** What a consumer of events gets to see: every event as an object, its payload parsed. Returns the last one. */
function parseFrame(frame: Frame): object | null {
  let event: object | null = null;
  for (let index = 0; index < frame.eventCount; index += 1) {
    const { position, id, type, entity, version, payload, metadata } = frame.event(index);
    const parsed: unknown = JSON.parse(payload.toString('utf8'));
    const parsedMetadata: unknown =
      metadata === null ? null : JSON.parse(metadata.toString('utf8'));
    event = { position, id, type, entity, version, payload: parsed, metadata: parsedMetadata };
  }
  return event;
}

async function replayJetStream(job: ReplayJob): Promise<Replayed> {
  const connection = await connect({ servers: job.target.url });
  const consumer = await jetstream(connection).consumers.get('events', {
    deliver_policy: DeliverPolicy.All,
  });
  let events = 0;
  let bytes = 0;
  const messages = await consumer.consume({ max_messages: 10_000 });
  for await (const message of messages) {
    if (job.takes === 'events') message.json();
    bytes += message.data.length;
    events += 1;
    if (events === job.events) break;
  }
  await connection.close();
  return { events, bytes };
}
