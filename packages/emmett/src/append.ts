/**
 * Appends to a stream. The events of one append are one batch, all or nothing; the first of them carries the expectation, and the others follow it without
 * anything in between. An append whose answer was lost is repeated under the same idempotency key: it is neither stored twice nor taken for a
 * conflict with itself.
 */
import {
  type CoreClient,
  positionOfEventId,
  type QueryClient,
  VersionConflictError,
} from '@allsource/client';
import {
  assertExpectedVersionMatchesCurrent,
  type Event,
  type ExpectedStreamVersion,
  ExpectedVersionConflictError,
  NO_CONCURRENCY_CHECK,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
  ValidationError,
} from '@event-driven-io/emmett';
import type { EventTypes } from './event-types.ts';
import { NEW_STREAM, type ReadMessage, recordedForm, storedJson } from './stored-form.ts';
import { streamVersion } from './stream-reader.ts';

export interface StreamAppend {
  readonly streamName: string;
  readonly events: readonly Event[];
  readonly expected: ExpectedStreamVersion | undefined;
}

export interface AppendContext {
  readonly core: CoreClient;
  readonly query: QueryClient;
  readonly types: EventTypes;
}

/** Appends and returns the events as a read would give them. Throws Emmett's `ExpectedVersionConflictError` and `ValidationError`. */
export async function appendEvents(
  { core, query, types }: AppendContext,
  { streamName, events, expected = NO_CONCURRENCY_CHECK }: StreamAppend,
): Promise<readonly [ReadMessage, ...ReadMessage[]]> {
  // A stream that exists never ceases to, so this may be asked before the append.
  if (expected === STREAM_EXISTS)
    assertExpectedVersionMatchesCurrent(
      BigInt(await streamVersion(query, streamName)),
      expected,
      NEW_STREAM,
    );
  const bodies = events.map((event, index) => ({
    json: storedJson(
      { streamName, event, expectedVersion: index === 0 ? expectedNumber(expected) : null },
      types,
    ),
  }));
  try {
    const answer = await core.ingestBatch(bodies);
    const [first, ...others] = answer.events.map(({ eventId, version }, index) =>
      recordedForm(events[index] as Event, {
        streamName,
        messageId: eventId,
        streamPosition: BigInt(version),
        globalPosition: BigInt(positionOfEventId(eventId) ?? 0),
      }),
    );
    if (first !== undefined) return [first, ...others];
  } catch (error) {
    if (!(error instanceof VersionConflictError)) throw error;
    throw new ExpectedVersionConflictError(BigInt(error.currentVersion), expected);
  }
  throw new ValidationError(`An append to '${streamName}' needs at least one event.`);
}

function expectedNumber(expected: ExpectedStreamVersion): number | null {
  if (expected === NO_CONCURRENCY_CHECK || expected === STREAM_EXISTS) return null;
  return expected === STREAM_DOES_NOT_EXIST ? 0 : Number(expected);
}
