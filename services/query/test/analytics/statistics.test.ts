/** Statistics over HTTP against a computation in the plainest way from a list of all events. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { formatTimestamp, micros, parseTimestamp, systemClock } from '@allsource/shared/model';
import { PayloadField } from '../../src/analytics/payload-field.ts';
import { analyticsRoutes } from '../../src/http/analytics-routes.ts';
import { ReadGate } from '../../src/reads/read-gate.ts';
import { fakeFollower } from '../support/fake-follower.ts';
import { GeneratedLog, type ModelEvent } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { type Served, serveRoutes } from '../support/serve-routes.ts';
import { withFolder } from '../support/temporary-folder.ts';

const PAYLOADS: ((random: Random) => string)[] = [
  (random) =>
    `{"amount":${(random.below(2_000_000) - 1_000_000) / 100},"order":{"total":${random.below(50)}}}`,
  (random) =>
    `{"order":{"x":[{"total":1}],"total":${random.pick(['1.0', '1e2', '-0.5', '12345678901234567890'])}}}`,
  () => '{"amount":"7","order":{"total":null}}',
  () => '{"am\\u006funt" : 3.5, "order":{"total":1,"total":2}}',
  () => '{"amount":1e999}',
  () => '[1]',
  () => '5',
  () => '{}',
];
const TYPES = ['order.placed', 'order.paid'];
const START = 1_767_225_600_000_000;
const FIELDS = ['amount', 'order.total', '/order/total', 'nothing.here'];

function logOf(random: Random, events: number): GeneratedLog {
  const log = new GeneratedLog(random.below(1_000_000));
  while (log.events.length < events) {
    const drafts = Array.from({ length: 1 + random.below(20) }, () => ({
      type: random.pick(TYPES),
      entity: `e-${random.below(12)}`,
      payload: random.pick(PAYLOADS)(random),
      timestamp: START + random.below(7_200) * 1_000_000 + random.below(3) * 500_000,
    }));
    log.commit(random.pick(['acme', 'globex']), drafts);
  }
  return log;
}

interface Wanted {
  readonly tenant: string;
  readonly type: string | null;
  readonly entity: string | null;
  readonly since: number | null;
  readonly until: number | null;
}

function randomWanted(random: Random): Wanted {
  const maybe = <T>(value: T): T | null => (random.chance(0.4) ? value : null);
  const since = START + random.below(3_600) * 1_000_000;
  return {
    tenant: random.pick(['acme', 'globex', 'nobody']),
    type: maybe(random.pick(TYPES)),
    entity: maybe(`e-${random.below(13)}`),
    since: maybe(since),
    until: maybe(since + random.below(3_600) * 1_000_000),
  };
}

function chosen(log: GeneratedLog, { tenant, type, entity, since, until }: Wanted): ModelEvent[] {
  return log.events.filter(
    (event) =>
      event.tenant === tenant &&
      (type === null || event.type === type) &&
      (entity === null || event.entity === entity) &&
      (since === null || event.timestamp >= since) &&
      (until === null || event.timestamp <= until),
  );
}

function parameters(wanted: Wanted, more: Record<string, string | number>): string {
  const { type, entity, since, until } = wanted;
  const values = new URLSearchParams();
  if (type !== null) values.set('event_type', type);
  if (entity !== null) values.set('entity_id', entity);
  if (since !== null) values.set('since', shown(since));
  if (until !== null) values.set('until', shown(until));
  for (const [name, value] of Object.entries(more)) values.set(name, String(value));
  return values.toString();
}

const shown = (instant: number) => formatTimestamp(micros(instant));

/** The number at a field, by JSON.parse. */
function numberOf(payload: string, field: string): number | null {
  let value: unknown = JSON.parse(payload);
  for (const name of field.replace(/^\//, '').split(/[./]/)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function numbersOf(events: readonly ModelEvent[], field: string): number[] {
  return events.map(({ payload }) => numberOf(payload, field)).filter((value) => value !== null);
}

/** Equal but for the order in which doubles were added. */
function near(expected: number | null | undefined): unknown {
  if (typeof expected !== 'number') return expected ?? null;
  return expect.closeTo(expected, 6 - Math.ceil(Math.log10(Math.abs(expected) + 1)));
}

function nearBy(expected: number, digits: number): unknown {
  return expect.closeTo(expected, digits);
}

function naivePercentile(sorted: readonly number[], percent: number): number | null {
  const rank = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)];
  const above = sorted[Math.ceil(rank)];
  return below === undefined || above === undefined ? null : below + (above - below) * (rank % 1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

interface NaiveSession {
  readonly entity_id: string;
  readonly start: number;
  readonly end: number;
  readonly event_count: number;
}

function naiveSessions(events: readonly ModelEvent[], gap: number): NaiveSession[] {
  const sessions: NaiveSession[] = [];
  for (const entity of new Set(events.map((event) => event.entity))) {
    const times = events.filter((event) => event.entity === entity).map((event) => event.timestamp);
    times.sort((a, b) => a - b);
    let of: number[] = [];
    for (const [i, time] of times.entries()) {
      of.push(time);
      const next = times[i + 1];
      if (next !== undefined && next - time <= gap) continue;
      sessions.push({
        entity_id: entity,
        start: of[0] as number,
        end: time,
        event_count: of.length,
      });
      of = [];
    }
  }
  return sessions.sort((a, b) => b.end - a.end || b.start - a.start);
}

function keyOf(session: { entity_id: string; start: unknown; end: unknown }): string {
  return [session.end, session.start, session.entity_id].join(' ');
}

let served: Served | null = null;
afterEach(async () => {
  await served?.close();
  served = null;
});

async function withServed(
  log: GeneratedLog,
  use: (ask: (path: string, tenant?: string) => ReturnType<Served['get']>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const { history } = await openReadSide(folder, 60);
    await follow(history, log);
    const follower = fakeFollower(history, log.head);
    const gate = new ReadGate({ follower, store: history, waitMs: 50 });
    const serving = await serveRoutes(analyticsRoutes({ history, gate, clock: systemClock }));
    served = serving;
    await use((path, tenant) => serving.get(`/api/v1/analytics/${path}`, tenant));
    await history.close();
  });
}

describe('statistics', () => {
  it('say what a plain computation says, of the tenant alone', async () => {
    const random = new Random(propertySeed('statistics'));
    const log = logOf(random, 900);
    await withServed(log, async (ask) => {
      for (let round = 0; round < 40; round++) {
        const wanted = randomWanted(random);
        const events = chosen(log, wanted);
        const field = random.pick(FIELDS);
        const numbers = numbersOf(events, field);
        const sorted = numbers.toSorted((a, b) => a - b);
        const facts = {
          field,
          count: numbers.length,
          skipped: events.length - numbers.length,
          min: sorted[0] ?? null,
          max: sorted.at(-1) ?? null,
        };
        const percents = [0, random.below(101), 50, 99.9, 100];
        const asked = parameters(wanted, { field, percentiles: percents.join(',') });
        const percentiles = await ask(`percentiles?${asked}`, wanted.tenant);
        expect(percentiles.body).toEqual({
          ...facts,
          method: 'linear',
          percentiles: Object.fromEntries(
            percents.map((percent) => [`p${percent}`, near(naivePercentile(sorted, percent))]),
          ),
        });
        const spread = await ask(`stddev?${parameters(wanted, { field })}`, wanted.tenant);
        const mean = numbers.length === 0 ? null : sum(numbers) / numbers.length;
        expect(spread.body).toMatchObject({ ...facts, mean: near(mean) });
        if (mean === null) continue;
        const squares = sum(numbers.map((number) => (number - mean) ** 2));
        const deviation = Math.sqrt(squares / numbers.length);
        expect(spread.body.stddev / (deviation || 1)).toBeCloseTo(deviation === 0 ? 0 : 1, 9);
        const isSample = numbers.length > 1;
        const sampleSquares = isSample ? spread.body.sample_variance * (numbers.length - 1) : null;
        const digits = 3 - Math.ceil(Math.log10(squares + 1));
        expect(sampleSquares).toEqual(isSample ? nearBy(squares, digits) : null);
        expect(spread.body.sample_variance === null).toBe(!isSample);
      }
    });
  });

  it('of sliding windows have each event in each window around it', async () => {
    const random = new Random(propertySeed('sliding windows'));
    const log = logOf(random, 600);
    await withServed(log, async (ask) => {
      for (let round = 0; round < 25; round++) {
        const since = START + random.below(3_600) * 1_000_000;
        const until = since + random.below(3_600) * 1_000_000;
        const wanted = { ...randomWanted(random), since, until };
        const slide = 1 + random.below(900);
        const window = slide * (1 + random.below(5));
        const field = random.pick(FIELDS);
        const more = { window_seconds: window, slide_seconds: slide, field };
        const answer = await ask(`sliding-window?${parameters(wanted, more)}`, wanted.tenant);
        const events = chosen(log, wanted);
        expect(answer.body).toMatchObject({ total_events: events.length, slide_seconds: slide });
        let start = since;
        for (const shownWindow of answer.body.windows) {
          const end = start + window * 1_000_000;
          const inside = events.filter(({ timestamp }) => timestamp >= start && timestamp < end);
          const numbers = numbersOf(inside, field);
          const isEmpty = numbers.length === 0;
          expect(shownWindow).toEqual({
            start: shown(start),
            end: shown(end),
            count: inside.length,
            values: numbers.length,
            sum: isEmpty ? null : near(sum(numbers)),
            avg: isEmpty ? null : near(sum(numbers) / numbers.length),
            min: isEmpty ? null : Math.min(...numbers),
            max: isEmpty ? null : Math.max(...numbers),
          });
          start += slide * 1_000_000;
        }
        expect(start - slide * 1_000_000).toBeLessThanOrEqual(until);
        expect(start).toBeGreaterThan(until);
      }
    });
  });

  it('of sliding windows go on to the end of time', async () => {
    await withServed(logOf(new Random(1), 20), async (ask) => {
      const range = 'since=2026-01-01T00:00:00Z&until=9999-12-31T00:00:00Z';
      const answer = await ask(`sliding-window?${range}&window_seconds=3153600000`, 'acme');
      const ends = answer.body.windows.map(({ end }: { end: string }) => end);
      expect(ends).toEqual([
        '2125-12-08T00:00:00.000Z',
        '2225-11-14T00:00:00.000Z',
        '2255-06-05T23:47:34.740991Z',
      ]);
    });
  });

  it('of sessions end a session where the gap is longer', async () => {
    const random = new Random(propertySeed('sessions'));
    const log = logOf(random, 600);
    await withServed(log, async (ask) => {
      for (let round = 0; round < 25; round++) {
        const wanted = randomWanted(random);
        const gap = 1 + random.below(400);
        const limit = random.pick([0, 3, 1000]);
        const asked = parameters(wanted, { gap_seconds: gap, limit });
        const answer = await ask(`session-window?${asked}`, wanted.tenant);
        const events = chosen(log, wanted);
        const sessions = naiveSessions(events, gap * 1_000_000);
        const durations = sessions.map(({ start, end }) => (end - start) / 1_000_000);
        expect(answer.body).toMatchObject({
          total_sessions: sessions.length,
          total_events: events.length,
          total_entities: new Set(events.map(({ entity }) => entity)).size,
          sessions_of_one_event: sessions.filter((session) => session.event_count === 1).length,
          max_duration_seconds: Math.max(0, ...durations),
        });
        expect(answer.body.avg_duration_seconds).toBeCloseTo(
          sum(durations) / Math.max(1, sessions.length),
          6,
        );
        const listed = answer.body.sessions.map(
          (session: { start: string; end: string; entity_id: string; event_count: number }) => ({
            entity_id: session.entity_id,
            start: parseTimestamp(session.start),
            end: parseTimestamp(session.end),
            event_count: session.event_count,
          }),
        );
        expect(listed).toHaveLength(Math.min(limit, sessions.length));
        const all = new Map(sessions.map((session) => [keyOf(session), session]));
        for (const session of listed) expect(session).toEqual(all.get(keyOf(session)));
        expect(listed.map(({ end }: { end: number }) => end)).toEqual(
          sessions.slice(0, listed.length).map(({ end }) => end),
        );
      }
    });
  });

  it.each([
    ['percentiles', 'field'],
    ['percentiles?field=a..b', 'field'],
    ['percentiles?field=a&percentiles=101', 'percentiles'],
    ['percentiles?field=a&percentiles=50,x', 'percentiles'],
    ['stddev?field=', 'field'],
    ['sliding-window?window_seconds=60', 'since'],
    ['sliding-window?since=2026-01-01T00:00:00Z', 'window_seconds'],
    [
      'sliding-window?since=2026-01-01T00:00:00Z&window_seconds=60&slide_seconds=7',
      'slide_seconds',
    ],
    [
      'sliding-window?since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z&window_seconds=60',
      'slide_seconds',
    ],
    [
      'sliding-window?since=2026-01-01T00:00:00Z&until=2026-01-01T01:00:00Z&window_seconds=10000&slide_seconds=1',
      'slide_seconds',
    ],
    ['session-window', 'gap_seconds'],
    ['session-window?gap_seconds=0', 'gap_seconds'],
    ['session-window?gap_seconds=1&limit=5000', 'limit'],
  ])('refuse %s and name the parameter', async (path, parameter) => {
    await withServed(new GeneratedLog(1), async (ask) => {
      const { status, body } = await ask(path);
      expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter });
    });
  });

  it('show what the caches hold', async () => {
    await withServed(logOf(new Random(1), 200), async (ask) => {
      await ask('summary');
      await ask('summary');
      const { body } = await ask('cache/stats');
      expect(body.caches.map(({ name }: { name: string }) => name)).toEqual([
        'run_digests',
        'entity_numbers',
        'entity_counts',
      ]);
      for (const cache of body.caches) {
        expect(cache.bytes_max).toBeGreaterThan(0);
        expect(cache.hits + cache.misses).toBeGreaterThan(0);
      }
    });
  });

  it('find the number that JSON.parse finds', () => {
    const random = new Random(propertySeed('payload fields'));
    for (let i = 0; i < 2_000; i++) {
      const payload = random.pick(PAYLOADS)(random);
      const field = random.pick(FIELDS);
      expect(new PayloadField(field).numberIn(Buffer.from(payload))).toBe(numberOf(payload, field));
    }
  });
});
