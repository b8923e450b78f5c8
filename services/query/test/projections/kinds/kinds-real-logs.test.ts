/**
 * A funnel and a time series over real process logs. What is expected was computed twice by others means: by plain passes over the lines (below), and, for the real logs, once by DuckDB 1.4 over the same
 * files, with `n` the number of the line, `us` its time in microseconds and `version` row_number() OVER (PARTITION BY entity ORDER BY n):
 *
 *   SELECT count(DISTINCT s0.entity) FROM <lines of step 0> s0
 *   JOIN <lines of step 1> s1 ON s1.entity = s0.entity AND s1.n > s0.n AND s1.us >= s0.us AND s1.us <= s0.us + <window> JOIN ...
 *
 *   SELECT month, payload->>'impact', count(*), sum(version), min(version), max(version), quantile_disc(version, 0.5) ... GROUP BY ALL
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { type EventLog, eventLog, type EventLogName, type LoggedEvent } from '@allsource/testkit';
import { eventsOf, quicklyFolded } from './folded-states.ts';

const DATA_FOLDER = fileURLToPath(new URL('../../../../../../shared/data', import.meta.url));
const TEMPORARY = mkdtempSync(join(tmpdir(), 'allsource-kinds-'));
const DAY_SECONDS = 86_400;

interface RealFunnel {
  readonly types: readonly string[];
  readonly windowSeconds: number;
  readonly byDuckDb: readonly number[];
}

const FUNNELS: Record<EventLogName, RealFunnel> = {
  permits: {
    types: [
      'permit.confirmation_of_receipt.complete',
      'permit.t02_check_confirmation_of_receipt.complete',
      'permit.t04_determine_confirmation_of_receipt.complete',
      'permit.t10_determine_necessity_to_stop_indication.complete',
    ],
    windowSeconds: 3 * DAY_SECONDS,
    byDuckDb: [1434, 1213, 1142, 719],
  },
  incidents: {
    types: [
      'incident.accepted.in_progress',
      'incident.queued.awaiting_assignment',
      'incident.completed.resolved',
      'incident.completed.closed',
    ],
    windowSeconds: 7 * DAY_SECONDS,
    byDuckDb: [7536, 3952, 2878, 1103],
  },
};

/** Month, impact, events, and of the versions the sum, the least, the largest and the median. */
const INCIDENTS_BY_DUCKDB = `
2010-03 Medium 3 6 1 3 2
2010-04 Medium 9 72 4 12 8
2011-05 Low 10 55 1 10 5
2011-05 Medium 40 699 1 58 8
2011-10 High 11 66 1 11 6
2012-01 Medium 342 4195 1 62 7
2012-03 Low 686 7137 1 61 7
2012-04 Medium 8735 78375 1 117 5
2012-05 High 1938 16025 1 50 6
2012-05 Low 17881 139228 1 76 5
2012-05 Major 44 349 1 17 8
2012-05 Medium 23358 181538 1 123 5`;
const MONTHS_AND_IMPACTS = 37;

function logOf(name: EventLogName): { readonly log: EventLog; readonly isReal: boolean } {
  const log = eventLog(name, { dataFolder: DATA_FOLDER, tempFolder: TEMPORARY });
  process.stdout.write(`kinds-real-logs: ${log.origin}\n`);
  return { log, isReal: log.origin.startsWith('real') };
}

function foldedEvents(log: EventLog) {
  return eventsOf(
    log.events.map(({ event_type: eventType, entity_id: entityId, timestamp, payloadText }) => {
      const micros = Date.parse(timestamp) * 1000;
      return { eventType, entityId, payload: payloadText, timestamp: micros, recordedAt: micros };
    }),
  );
}

/** For each step, the entities for which some choice of a line for it and each step before it fits. Tries all choices, from the last step back. */
function entitiesByStep(
  lines: readonly LoggedEvent[],
  { types, windowSeconds }: RealFunnel,
): number[] {
  const byEntity = new Map<string, LoggedEvent[]>();
  for (const line of lines)
    byEntity.set(line.entity_id, [...(byEntity.get(line.entity_id) ?? []), line]);
  return types.map((_, last) => {
    let entities = 0;
    for (const own of byEntity.values()) if (fits(own, last)) entities += 1;
    return entities;
  });

  function fits(own: readonly LoggedEvent[], last: number): boolean {
    // The lines of a step from which the attempt can be completed, with the latest start that allows it, found backwards.
    return own.some((first, start) => {
      if (first.event_type !== types[0]) return false;
      const until = Date.parse(first.timestamp) + windowSeconds * 1000;
      let usable = own.slice(start + 1).filter(({ timestamp }) => Date.parse(timestamp) <= until);
      for (let step = 1; step <= last; step++) {
        const at = usable.findIndex(({ event_type: type }) => type === types[step]);
        if (at === -1) return false;
        usable = usable.slice(at + 1);
      }
      return true;
    });
  }
}

afterAll(() => rmSync(TEMPORARY, { recursive: true, force: true }));

describe('over a log of real processes', () => {
  it.each<EventLogName>(['permits', 'incidents'])(
    'the funnel of %s is that of a plain pass and of DuckDB',
    async (name) => {
      const { log, isReal } = logOf(name);
      const wanted = isReal ? FUNNELS[name] : generatedFunnel(log);
      const definition = {
        steps: wanted.types.map((event_type) => ({ event_type })),
        window_seconds: wanted.windowSeconds,
      };
      const shown = await quicklyFolded('funnel', definition, foldedEvents(log));
      const { steps } = shown.get('funnel') as {
        readonly steps: readonly { readonly count: number }[];
      };
      const counts = steps.map(({ count }) => count);
      expect(counts).toEqual(entitiesByStep(log.events, wanted));
      expect(counts[0]).toBeGreaterThan(0);
      expect(counts).toEqual(isReal ? wanted.byDuckDb : counts);
    },
  );

  it('the time series of incidents is that of a plain pass and of DuckDB', async () => {
    const { log, isReal } = logOf('incidents');
    const definition = {
      bucket: 'month',
      field: '$version',
      group_by: 'impact',
      aggregates: ['count', 'sum', 'min', 'max', 'percentiles'],
    };
    const shown = await quicklyFolded('time_series', definition, foldedEvents(log));
    const versions = versionsByMonthAndImpact(log.events);
    expect([...shown.keys()].toSorted()).toEqual([...versions.keys()].toSorted());
    for (const [key, values] of versions) {
      values.sort((a, b) => a - b);
      const state = shown.get(key) as Readonly<Record<string, number>>;
      expect(state).toMatchObject({
        count: values.length,
        sum: values.reduce((sum, value) => sum + value, 0),
        min: values[0],
        max: values.at(-1),
      });
      for (const [name, share] of [
        ['p50', 0.5],
        ['p90', 0.9],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = values[Math.ceil(share * values.length - 1e-6) - 1] ?? Number.NaN;
        expect(Math.abs((state[name] ?? Number.NaN) - exact)).toBeLessThanOrEqual(exact * 0.010001);
      }
    }
    if (!isReal) return;
    expect(shown.size).toBe(MONTHS_AND_IMPACTS);
    for (const line of INCIDENTS_BY_DUCKDB.trim().split('\n')) {
      const [month = '', impact = '', count, sum, min, max, median] = line.split(' ');
      const state = shown.get(`${impact}|${month}-01T00:00:00Z`) as Readonly<
        Record<string, number>
      >;
      const { p50 = Number.NaN, ...exact } = state;
      expect([exact['count'], exact['sum'], exact['min'], exact['max']].join(' ')).toBe(
        [count, sum, min, max].join(' '),
      );
      expect(Math.abs(p50 - Number(median))).toBeLessThanOrEqual(Number(median) * 0.010001);
    }
  });
});

function versionsByMonthAndImpact(lines: readonly LoggedEvent[]): Map<string, number[]> {
  const versions = new Map<string, number>();
  const found = new Map<string, number[]>();
  for (const { entity_id: entity, timestamp, payloadText } of lines) {
    const version = (versions.get(entity) ?? 0) + 1;
    versions.set(entity, version);
    const impact = /"impact":"([^"]*)"/.exec(payloadText)?.[1] ?? '(none)';
    const key = `${impact}|${timestamp.slice(0, 7)}-01T00:00:00Z`;
    const values = found.get(key);
    if (values === undefined) found.set(key, [version]);
    else values.push(version);
  }
  return found;
}

/** Three types of a generated log, which has no others. */
function generatedFunnel(log: EventLog): RealFunnel {
  const types = [...new Set(log.events.map(({ event_type: type }) => type))].slice(0, 3);
  return { types, windowSeconds: 60 * DAY_SECONDS, byDuckDb: [] };
}
