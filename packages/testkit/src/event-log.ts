/**
 * The event logs that end-to-end tests import: real public process logs where they are at hand, otherwise a generated log of the same size and shape
 * from a fixed seed. The caller prints `origin`, so that a run says which it was.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { SeededRandom } from './seeded-random.ts';

export type EventLogName = 'permits' | 'incidents';

/** One line of a log, parsed for the test's own expectations; `payloadText` is the text as it stands in the file. */
export interface LoggedEvent {
  readonly event_type: string;
  readonly entity_id: string;
  readonly timestamp: string;
  readonly payloadText: string;
}

export interface EventLog {
  readonly file: string;
  readonly origin: string;
  readonly events: readonly LoggedEvent[];
  /** Published totals of the real log; the generated one is made to match them. */
  readonly totals: { readonly events: number; readonly entities: number };
}

const TOTALS: Record<EventLogName, { events: number; entities: number }> = {
  permits: { events: 8_577, entities: 1_434 },
  incidents: { events: 65_533, entities: 7_554 },
};

/** The log of this name: from `dataFolder` if it is there, else generated into `tempFolder`. */
export function eventLog(
  name: EventLogName,
  folders: { readonly dataFolder: string; readonly tempFolder: string },
): EventLog {
  const real = join(folders.dataFolder, `${name}.ndjson.gz`);
  const isReal = existsSync(real);
  const file = isReal ? real : generateLog(name, folders.tempFolder);
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n').filter(Boolean);
  return {
    file,
    origin: isReal
      ? `real log ${name}`
      : `GENERATED log in place of ${name}, which is not at hand (seed 1)`,
    events: lines.map(parseLine),
    totals: TOTALS[name],
  };
}

function parseLine(line: string): LoggedEvent {
  const { event_type, entity_id, timestamp } = JSON.parse(line) as LoggedEvent;
  const start = line.indexOf('"payload":') + '"payload":'.length;
  return { event_type, entity_id, timestamp, payloadText: line.slice(start, -1) };
}

function generateLog(name: EventLogName, folder: string): string {
  const random = new SeededRandom(1);
  const { events, entities } = TOTALS[name];
  let at = Date.parse('2010-04-01T08:00:00Z');
  const lines: string[] = [];
  for (let i = 0; i < events; i++) {
    at += random.below(900_000);
    const entity = i < entities ? i : random.below(entities);
    const payload = {
      org_group: `Group ${random.below(20)}`,
      step: i,
      amount: random.below(100_000) / 100,
    };
    const type = `${name.slice(0, -1)}.${random.pick(['opened', 'accepted', 'assigned', 'checked', 'closed'])}`;
    lines.push(
      JSON.stringify({
        event_type: type,
        entity_id: `${name}-${entity}`,
        timestamp: new Date(at).toISOString(),
        payload,
      }),
    );
  }
  const file = join(folder, `${name}.ndjson.gz`);
  writeFileSync(file, gzipSync(`${lines.join('\n')}\n`));
  return file;
}
