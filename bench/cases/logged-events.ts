/** Events as real systems log them, for the size on the disk: made-up events of one shape compress as no real log does. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

const GENERATED_EVENTS = 50_000;
const GENERATED_ENTITIES = 5000;
const SEED = 20_240_229;

export interface LoggedEvent {
  /** The event's JSON, as a log file has it on a line. */
  readonly line: string;
  readonly type: string;
  readonly entity: string;
  /** JSON text. */
  readonly payload: string;
  readonly timestamp: string;
}

export interface LoggedEvents {
  readonly source: string;
  readonly events: readonly LoggedEvent[];
}

/** The first `eventsMax` events of the logs (`*.ndjson.gz`) in a folder, or generated ones without a folder; the source says which. Throws where the folder holds none. */
export function loggedEvents(eventsMax: number, folder: string | null): LoggedEvents {
  if (folder === null)
    return { source: `generated, seed ${SEED}`, events: firstOf(generatedLines(), eventsMax) };
  const lines = linesIn(folder);
  if (lines.length === 0) throw new TypeError(`There are no events in ${folder}/*.ndjson.gz.`);
  return { source: 'real logs', events: firstOf(lines, eventsMax) };
}

function linesIn(folder: string): string[] {
  return globSync('*.ndjson.gz', { cwd: folder })
    .toSorted()
    .flatMap((file) =>
      gunzipSync(readFileSync(resolve(folder, file)))
        .toString()
        .split('\n'),
    )
    .filter((line) => line !== '');
}

function firstOf(lines: readonly string[], eventsMax: number): LoggedEvent[] {
  return lines.slice(0, eventsMax).map((line) => {
    const { event_type, entity_id, payload, timestamp } = JSON.parse(line) as Record<
      string,
      string
    >;
    return {
      line,
      type: event_type ?? '',
      entity: entity_id ?? '',
      payload: JSON.stringify(payload),
      timestamp: timestamp ?? '',
    };
  });
}

/** The same lines every time. */
export function generatedLines(): string[] {
  const random = randomOf(SEED);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const startMs = Date.UTC(2024, 0, 1);
  return Array.from({ length: GENERATED_EVENTS }, (_, index) =>
    JSON.stringify({
      event_type: `ticket.${pick(['opened', 'assigned', 'answered', 'escalated', 'closed'])}`,
      entity_id: `ticket-${Math.floor(random() * GENERATED_ENTITIES)}`,
      timestamp: new Date(startMs + index * 60_000 + Math.floor(random() * 60_000)).toISOString(),
      payload: {
        agent: pick(['Ada', 'Bo', 'Chidi', 'Dana', 'Emre', 'Fatma', 'Goro', 'Hana']),
        country: pick(['de', 'fr', 'se', 'br', 'in', 'us']),
        impact: pick(['low', 'medium', 'high']),
        minutes: Math.floor(random() * 600),
        product: `PROD${Math.floor(random() * 700)}`,
      },
    }),
  );
}

/** A linear congruential generator: poor, and enough to vary texts. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
