/**
 * Reads one stream. The store answers the events of an entity by the time at which they happened, which an import may give; a stream is read by version.
 * What is read is a gapless beginning of the stream that has at least what was acknowledged before the read began.
 */
import type { QueryClient, StoredEvent } from '@allsource/client';
import { IllegalStateError } from '@event-driven-io/emmett';

const PAGE_EVENTS = 1_000;

/** The events of a stream in the order of their versions, which are 1, 2, 3 and so on. Empty: nothing was ever appended to it. */
export async function readWholeStream(
  query: QueryClient,
  streamName: string,
): Promise<readonly StoredEvent[]> {
  const wanted = { entityId: streamName, limit: PAGE_EVENTS };
  let page = await query.queryEvents(wanted);
  const versionAtLeast = page.entityVersion ?? 0;
  const read = [...page.events];
  while (page.hasMore && page.nextCursor !== null) {
    page = await query.queryEvents({ ...wanted, cursor: page.nextCursor });
    read.push(...page.events);
  }
  const events = gaplessBeginning(read.toSorted((a, b) => a.version - b.version));
  if (events.length >= versionAtLeast) return events;
  throw new IllegalStateError(
    `The stream '${streamName}' is at version ${versionAtLeast}, and only ${events.length} events of it could be read.`,
  );
}

/** The version of a stream, without its events; 0 when it does not exist. */
export async function streamVersion(query: QueryClient, streamName: string): Promise<number> {
  const page = await query.queryEvents({ entityId: streamName, limit: 1 });
  return page.entityVersion ?? 0;
}

// An event that was appended while the pages were read may be there without the one before it.
function gaplessBeginning(events: readonly StoredEvent[]): readonly StoredEvent[] {
  const gap = events.findIndex(({ version }, index) => version !== index + 1);
  return gap === -1 ? events : events.slice(0, gap);
}

/** Which part of a stream is wanted, in Emmett's terms. */
export interface StreamPart {
  /** The version behind which the part begins; 0 without it. */
  readonly from?: bigint;
  /** The last version of the part. */
  readonly to?: bigint;
  readonly maxCount?: bigint;
}

/** The part of a stream that is wanted. */
export function partOfStream<T>(events: readonly T[], part: StreamPart = {}): readonly T[] {
  const { from = 0n, to, maxCount } = part;
  const ends = [BigInt(events.length)];
  if (to !== undefined) ends.push(to);
  if (maxCount !== undefined) ends.push(from + maxCount);
  return events.slice(Number(from), Math.min(...ends.map(Number)));
}
