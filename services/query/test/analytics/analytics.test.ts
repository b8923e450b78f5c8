import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { formatTimestamp, type Micros, micros, parseTimestamp } from '@allsource/shared/model';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import { type CorrelationQuestion, eventCorrelation } from '../../src/analytics/correlation.ts';
import { eventFrequency, type FrequencyQuestion } from '../../src/analytics/frequency.ts';
import { ScanDesk } from '../../src/analytics/scan-desk.ts';
import { eventSummary } from '../../src/analytics/summary.ts';
import { timeGrid, type Window } from '../../src/analytics/time-grid.ts';
import { BlockHistory } from '../../src/history/block-history.ts';
import type { EventSelection } from '../../src/history/event-history.ts';
import { LogWriter, type WrittenEvent } from '../projections/log-writer.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** A history of small blocks, so that each answer crosses several of them. */
async function historyOf(events: readonly WrittenEvent[]): Promise<BlockHistory> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-analytics-'));
  const logger = { warn: () => {}, error: () => {} };
  const history = await BlockHistory.open({ folder, blockEvents: 7, logger, listeners: [] });
  cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
  cleanups.add(() => history.close());
  const log = new LogWriter();
  log.commit('stranger', [{ type: 'order.placed', entity: 'o-1', at: '2026-03-02T10:00:30Z' }]);
  for (const event of events) log.commit('acme', [event]);
  await history.apply(log.frames, log.logIdHex);
  return history;
}

const stays = () => false;

async function frequency(history: BlockHistory, question: FrequencyQuestion) {
  const desk = new ScanDesk(history);
  const answer = await desk.run(stays, (pace) => eventFrequency(desk, question, pace));
  return { ...answer, buckets: [...answer.buckets] };
}

function summary(history: BlockHistory, selection: EventSelection) {
  const desk = new ScanDesk(history);
  return desk.run(stays, (pace) => eventSummary(desk, selection, pace));
}

function correlation(history: BlockHistory, question: CorrelationQuestion) {
  const desk = new ScanDesk(history);
  return desk.run(stays, (pace) => eventCorrelation(desk, question, pace));
}

function at(text: string): Micros {
  return must(parseTimestamp(text), text);
}

describe('a time grid', () => {
  it.each<[Window, string, string, string]>([
    ['minute', '2026-03-05T10:17:42.5Z', '2026-03-05T10:17:00.000Z', '2026-03-05T10:18:00.000Z'],
    ['hour', '2026-03-05T10:17:42Z', '2026-03-05T10:00:00.000Z', '2026-03-05T11:00:00.000Z'],
    ['day', '2026-03-05T10:17:42Z', '2026-03-05T00:00:00.000Z', '2026-03-06T00:00:00.000Z'],
    // A Thursday; the Monday before, and a Sunday that still belongs to the week.
    ['week', '2026-03-05T10:17:42Z', '2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z'],
    ['week', '2026-03-08T23:59:59Z', '2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z'],
    ['week', '1969-12-31T00:00:00Z', '1969-12-29T00:00:00.000Z', '1970-01-05T00:00:00.000Z'],
    ['month', '2024-02-29T12:00:00Z', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
    ['month', '2025-12-31T23:59:59Z', '2025-12-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'],
  ])('of a %s around %s begins at %s and goes on at %s', (window, since, first, second) => {
    const grid = timeGrid({ window, since: at(since) });
    expect([grid.startOf(0), grid.startOf(1)].map(formatTimestamp)).toEqual([first, second]);
    expect(grid.indexOf(at(since))).toBe(0);
    expect(grid.indexOf(grid.startOf(1))).toBe(1);
    expect(grid.indexOf(micros(grid.startOf(1) - 1))).toBe(0);
  });

  it('of 30 day months steps 30 days from the first day of the month', () => {
    const grid = timeGrid({ window: 'month', since: at('2026-01-20T00:00:00Z'), monthStep: '30d' });
    expect([0, 1, 2].map((index) => formatTimestamp(grid.startOf(index)))).toEqual([
      '2026-01-01T00:00:00.000Z',
      '2026-01-31T00:00:00.000Z',
      '2026-03-02T00:00:00.000Z',
    ]);
  });

  it('gives every instant exactly one bucket that holds it', () => {
    const random = new SeededRandom(11);
    for (let i = 0; i < 2_000; i++) {
      const window = random.pick(['minute', 'hour', 'day', 'week', 'month'] as const);
      const monthStep = random.pick(['calendar', '30d'] as const);
      const instant = () => micros(Math.floor(random.next() * 4e15));
      const grid = timeGrid({ window, since: instant(), monthStep });
      const inside = instant();
      const index = grid.indexOf(inside);
      expect(grid.startOf(index)).toBeLessThanOrEqual(inside);
      expect(grid.startOf(index + 1)).toBeGreaterThan(inside);
    }
  });
});

const ORDERS: readonly WrittenEvent[] = [
  { type: 'order.placed', entity: 'o-1', at: '2026-03-02T10:00:00Z' },
  { type: 'order.placed', entity: 'o-2', at: '2026-03-02T10:00:59.999Z' },
  { type: 'order.paid', entity: 'o-1', at: '2026-03-02T10:01:00Z' },
  { type: 'order.paid', entity: 'o-2', at: '2026-03-02T10:04:00Z' },
  { type: 'order.placed', entity: 'o-3', at: '2026-03-02T10:03:00Z' },
];

describe('the frequency of events', () => {
  it('fills gaps from the bucket of since to the bucket of until, of one tenant only', async () => {
    const history = await historyOf(ORDERS);
    const answer = await frequency(history, {
      selection: { tenant: 'acme' },
      window: 'minute',
      monthStep: 'calendar',
      since: at('2026-03-02T10:00:00Z'),
      until: at('2026-03-02T10:05:30Z'),
      now: at('2026-04-01T00:00:00Z'),
    });
    expect(answer.buckets.map(({ count }) => count)).toEqual([2, 1, 0, 1, 1, 0]);
    expect(answer.buckets[0]).toEqual({
      timestamp: '2026-03-02T10:00:00.000Z',
      count: 2,
      event_types: { 'order.placed': 2 },
    });
    expect(answer).toMatchObject({
      totalEvents: 5,
      window: 'minute',
      from: '2026-03-02T10:00:00.000Z',
      to: '2026-03-02T10:05:30.000Z',
    });
  });

  it('goes up to the present without until, and is empty without events', async () => {
    const history = await historyOf(ORDERS);
    const question = {
      selection: { tenant: 'acme', type: 'order.paid' },
      window: 'day' as const,
      monthStep: 'calendar' as const,
      since: at('2026-03-01T00:00:00Z'),
      until: null,
      now: at('2026-03-04T12:00:00Z'),
    };
    const answer = await frequency(history, question);
    expect(answer.buckets.map(({ count }) => count)).toEqual([0, 2, 0, 0]);
    const nothing = { ...question, selection: { tenant: 'acme', type: 'order.lost' } };
    expect((await frequency(history, nothing)).buckets).toEqual([]);
    const foreign = { ...question, selection: { tenant: 'nobody' } };
    expect((await frequency(history, foreign)).totalEvents).toBe(0);
  });

  it.each(['month', '30d'] as const)(
    'counts from the beginning of time on, by %s',
    async (step) => {
      const history = await historyOf(ORDERS);
      const answer = await frequency(history, {
        selection: { tenant: 'acme' },
        window: 'month',
        monthStep: step === '30d' ? '30d' : 'calendar',
        since: at('0001-01-01T00:00:00Z'),
        until: at('2026-12-31T00:00:00Z'),
        now: at('2026-12-31T00:00:00Z'),
      });
      expect(answer.totalEvents).toBe(5);
      expect(answer.buckets[0]?.timestamp).toBe('1685-01-01T00:00:00.000Z');
      expect(answer.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(5);
    },
  );

  it.each(['minute', 'hour', 'day', 'week', 'month'] as const)(
    'has nothing to count by %s where no instant can be told',
    async (window) => {
      const history = await historyOf(ORDERS);
      const answer = await frequency(history, {
        selection: { tenant: 'acme' },
        window,
        monthStep: 'calendar',
        since: at('0001-01-01T00:00:00Z'),
        until: at('0002-01-01T00:00:00Z'),
        now: at('2026-12-31T00:00:00Z'),
      });
      expect(answer).toMatchObject({ totalEvents: 0, buckets: [] });
    },
  );

  it('refuses more buckets than an answer may hold, with the numbers', async () => {
    const history = await historyOf([]);
    const question = frequency(history, {
      selection: { tenant: 'acme' },
      window: 'minute',
      monthStep: 'calendar',
      since: at('2020-01-01T00:00:00Z'),
      until: at('2026-01-01T00:00:00Z'),
      now: at('2026-01-01T00:00:00Z'),
    });
    await expect(question).rejects.toMatchObject({
      code: 'invalid_parameter',
      members: { limit: 10_000, bucket_count: 3_156_481 },
    });
  });
});

describe('the summary of events', () => {
  it('counts all types and entities, and lists the ten largest', async () => {
    const many = Array.from({ length: 60 }, (_, i) => ({
      type: `type.t${i % 12}`,
      entity: `e-${String(i % 15).padStart(2, '0')}`,
      at: `2026-03-0${1 + (i % 4)}T00:00:00Z`,
    }));
    const history = await historyOf([
      ...many,
      { type: 'type.t3', entity: 'e-07', at: '2026-03-01T00:00:00Z' },
    ]);
    const answer = await summary(history, { tenant: 'acme' });
    expect(answer).toMatchObject({
      total_events: 61,
      unique_entities: 15,
      unique_event_types: 12,
      time_range: { from: '2026-03-01T00:00:00.000Z', to: '2026-03-04T00:00:00.000Z' },
      first_event: '2026-03-01T00:00:00.000Z',
      last_event: '2026-03-04T00:00:00.000Z',
      events_per_day: 61 / 3,
    });
    expect(answer.top_event_types).toHaveLength(10);
    expect(answer.top_event_types[0]).toEqual({
      event_type: 'type.t3',
      count: 6,
      percentage: (6 / 61) * 100,
    });
    expect(answer.top_entities.map(({ entity_id }) => entity_id)).toEqual([
      'e-07',
      ...['00', '01', '02', '03', '04', '05', '06', '08', '09'].map((n) => `e-${n}`),
    ]);
  });

  it('has equal counts in the order in which entities are listed, by UTF-16 code units', async () => {
    const ids = [
      '\u{1f389}',
      '\uffee',
      '\ue000',
      '\ud7ff',
      '\u{10ffff}',
      'z',
      'z\uffee',
      'z\u{1f389}',
    ];
    const entities = [...ids, 'a1', 'a2', 'a3', 'a4'];
    const history = await historyOf(
      entities.map((entity) => ({ type: 'a.b', entity, at: '2026-03-01T00:00:00Z' })),
    );
    const answer = await summary(history, { tenant: 'acme' });
    const listed = answer.top_entities.map(({ entity_id }) => entity_id);
    expect(listed).toEqual(entities.toSorted().slice(0, 10));
    expect(listed).not.toContain('\uffee');
  });

  it('of nothing is zeros, not a failure', async () => {
    const history = await historyOf([]);
    expect(await summary(history, { tenant: 'acme' })).toEqual({
      total_events: 0,
      unique_entities: 0,
      unique_event_types: 0,
      time_range: { from: null, to: null },
      events_per_day: 0,
      top_event_types: [],
      top_entities: [],
      first_event: null,
      last_event: null,
    });
  });
});

describe('the correlation of two types', () => {
  it('pairs each event with the nearest one of the same entity inside the window', async () => {
    const history = await historyOf(ORDERS);
    const answer = await correlation(history, {
      selection: { tenant: 'acme' },
      typeA: 'order.placed',
      typeB: 'order.paid',
      windowMicros: 60_000_000,
    });
    expect(answer).toEqual({
      event_type_a: 'order.placed',
      event_type_b: 'order.paid',
      total_a: 3,
      total_b: 2,
      correlated_pairs: 1,
      correlation_percentage: (1 / 3) * 100,
      avg_time_between_seconds: 60,
      examples: [
        {
          entity_id: 'o-1',
          event_a_timestamp: '2026-03-02T10:00:00.000Z',
          event_b_timestamp: '2026-03-02T10:01:00.000Z',
          time_between_seconds: 60,
        },
      ],
    });
  });

  it('finds the same pairs as a search through all of them', async () => {
    const random = new SeededRandom(5);
    const events = Array.from({ length: 200 }, () => ({
      type: random.pick(['a.a', 'b.b', 'c.c']),
      entity: `e${random.below(5)}`,
      at: 1_700_000_000_000 + random.below(100_000),
    }));
    const history = await historyOf(events);
    for (const windowMs of [0, 50, 1_000, 20_000]) {
      const ofA = events.filter(({ type }) => type === 'a.a');
      const ofB = events.filter(({ type }) => type === 'b.b');
      const expected = ofA.filter((a) =>
        ofB.some((b) => b.entity === a.entity && Math.abs(a.at - b.at) <= windowMs),
      ).length;
      const answer = await correlation(history, {
        selection: { tenant: 'acme' },
        typeA: 'a.a',
        typeB: 'b.b',
        windowMicros: windowMs * 1000,
      });
      expect([answer.correlated_pairs, answer.total_a]).toEqual([expected, ofA.length]);
    }
  });
});
