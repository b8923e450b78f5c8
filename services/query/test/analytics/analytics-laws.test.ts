/** The analytics against a recomputation from all events: over generated logs, and over real ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Micros, micros } from '@allsource/shared/model';
import { Cleanups, eventLog } from '@allsource/testkit';
import { eventCorrelation } from '../../src/analytics/correlation.ts';
import { EntityNumbers } from '../../src/analytics/entity-numbers.ts';
import { eventFrequency } from '../../src/analytics/frequency.ts';
import { ScanDesk } from '../../src/analytics/scan-desk.ts';
import { ReaderGone, ScanTurns } from '@allsource/service-kit/turns';
import { eventSummary } from '../../src/analytics/summary.ts';
import type { Window } from '../../src/analytics/time-grid.ts';
import { BlockHistory } from '../../src/history/block-history.ts';
import { LogWriter } from '../projections/log-writer.ts';
import {
  naiveBuckets,
  naiveCorrelation,
  naiveSummary,
  type PlainEvent,
  type PlainSelection,
} from '../support/naive-analytics.ts';
import { propertySeed, Random } from '../support/random.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

interface Stored {
  readonly history: BlockHistory;
  readonly log: LogWriter;
  readonly add: (events: readonly PlainEvent[]) => Promise<void>;
}

async function store(blockEvents: number): Promise<Stored> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-analytics-'));
  const logger = { warn: () => {}, error: () => {} };
  const history = await BlockHistory.open({ folder, blockEvents, logger, listeners: [] });
  cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
  cleanups.add(() => history.close());
  const log = new LogWriter();
  const add = async (events: readonly PlainEvent[]) => {
    const known = log.frames.length;
    for (let start = 0; start < events.length; ) {
      const { tenant } = events[start] as PlainEvent;
      let end = start + 1;
      while (end - start < 40 && events[end]?.tenant === tenant) end++;
      log.commit(tenant, events.slice(start, end));
      start = end;
    }
    for (let at = known; at < log.frames.length; at += 50)
      await history.apply(log.frames.slice(at, at + 50), log.logIdHex);
  };
  return { history, log, add };
}

const START = Date.UTC(2024, 0, 30);
const HOUR = 3_600_000;
const TENANTS = ['acme', 'globex'] as const;
const WINDOWS: readonly Window[] = ['minute', 'hour', 'day', 'week', 'month'];
const stays = () => false;

/** Mostly in the order of time, some from the past; some entities with most of the events, most with few. */
function generated(random: Random, count: number, from: number): PlainEvent[] {
  const types = Array.from({ length: 1 + random.below(14) }, (_, i) => `t.t${i}`);
  const entities = 1 + random.below(60);
  const step = random.pick([1_000, 60_000, 900_000]);
  const pastShare = random.pick([0, 0.02, 0.6]);
  let tenant: string = TENANTS[0];
  let at = from;
  return Array.from({ length: count }, () => {
    at += random.below(step);
    if (random.chance(0.05)) tenant = random.pick(TENANTS);
    return {
      tenant,
      type: random.pick(types),
      entity: `e-${random.chance(0.5) ? random.below(3) : random.below(entities)}é`,
      at: random.chance(pastShare) ? at - random.below(40 * 24 * HOUR) : at,
    };
  });
}

function randomSelection(random: Random, events: readonly PlainEvent[]): PlainSelection {
  const some = () => random.pick(events);
  const [a, b] = [some().at, some().at];
  const isBounded = random.chance(0.5);
  return {
    tenant: random.pick([...TENANTS, 'nobody']),
    entity: random.chance(0.2) ? some().entity : undefined,
    type: random.chance(0.3) ? some().type : undefined,
    sinceMs: isBounded ? Math.min(a, b) : undefined,
    untilMs: isBounded && random.chance(0.7) ? Math.max(a, b) : undefined,
  };
}

const inMicros = (ms: number | undefined): Micros | undefined =>
  ms === undefined ? undefined : micros(ms * 1000);

function selectionOf({ tenant, entity, type, sinceMs, untilMs }: PlainSelection) {
  return { tenant, entity, type, since: inMicros(sinceMs), until: inMicros(untilMs) };
}

async function checkAll(desk: ScanDesk, events: readonly PlainEvent[], random: Random) {
  const wanted = randomSelection(random, events);
  const selection = selectionOf(wanted);
  const summary = await desk.run(stays, (pace) => eventSummary(desk, selection, pace));
  expect(summary).toEqual(naiveSummary(events, wanted));

  const sinceMs = wanted.sinceMs ?? START;
  const untilMs = wanted.untilMs ?? sinceMs + 5 * 24 * HOUR;
  // Only as many buckets as an answer may hold.
  const shortest = Math.max(
    0,
    Math.ceil(Math.log((untilMs - sinceMs) / 60_000 / 9_000) / Math.log(24)),
  );
  const window = random.pick(WINDOWS.slice(Math.min(4, shortest)));
  const answer = await desk.run(stays, (pace) =>
    eventFrequency(
      desk,
      {
        selection,
        window,
        monthStep: 'calendar',
        since: micros(sinceMs * 1000),
        until: micros(untilMs * 1000),
        now: micros(0),
      },
      pace,
    ),
  );
  const range = { ...wanted, sinceMs, untilMs };
  expect([...answer.buckets]).toEqual(naiveBuckets(events, range, window));

  const { type: typeA } = random.pick(events);
  const typeB = random.pick(events.filter((event) => event.type !== typeA))?.type ?? 'none.none';
  const windowMs = random.pick([0, 1_000, HOUR, 1e9]);
  const noNames = { ...wanted, entity: undefined, type: undefined };
  const question = { selection: selectionOf(noNames), typeA, typeB, windowMicros: windowMs * 1000 };
  const pairs = await desk.run(stays, (pace) => eventCorrelation(desk, question, pace));
  const { seconds, ...expected } = naiveCorrelation(events, noNames, { typeA, typeB, windowMs });
  expect(pairs).toMatchObject(expected);
  expect(pairs.avg_time_between_seconds * pairs.correlated_pairs).toBeCloseTo(seconds, 3);
}

describe('every answer', () => {
  // oxlint-disable-next-line jest/expect-expect -- checkAll expects.
  it('is that of a recomputation from all events, before and behind each append, cold and warm', async () => {
    const random = new Random(propertySeed('analytics'));
    for (let world = 0; world < 4; world++) {
      const { history, add } = await store(random.pick([20, 150, 700]));
      const desk = new ScanDesk(history);
      const events: PlainEvent[] = [];
      for (let stage = 0; stage < 4; stage++) {
        const more = generated(random, 50 + random.below(500), events.at(-1)?.at ?? START);
        events.push(...more);
        await add(more);
        for (let i = 0; i < 8; i++) await checkAll(desk, events, random);
      }
    }
  });

  it('over real logs too', async () => {
    const tempFolder = mkdtempSync(join(tmpdir(), 'allsource-logs-'));
    cleanups.add(() => rmSync(tempFolder, { recursive: true, force: true }));
    const dataFolder = join(import.meta.dirname, '../../../../../shared/data');
    const { history, add } = await store(4_096);
    const random = new Random(propertySeed('analytics of logs'));
    const events = (['permits', 'incidents'] as const).flatMap((name) => {
      const log = eventLog(name, { dataFolder, tempFolder });
      process.stdout.write(`input: ${log.origin}\n`);
      return log.events.map((event) => ({
        tenant: 'acme',
        type: event.event_type,
        entity: event.entity_id,
        at: Date.parse(event.timestamp),
      }));
    });
    await add(events);
    const desk = new ScanDesk(history);
    await checkAll(desk, events, random);
    const whole = await desk.run(stays, (pace) => eventSummary(desk, { tenant: 'acme' }, pace));
    expect(whole).toEqual(naiveSummary(events, { tenant: 'acme' }));
  });
});

const eventOf = (entity: number, at: number, tenant = 'acme'): PlainEvent => ({
  tenant,
  type: at % 2 === 0 ? 't.even' : 't.odd',
  entity: `e-${entity}`,
  at: START + at,
});

async function checkThrice(desk: ScanDesk, events: PlainEvent[], wanted: PlainSelection) {
  for (let i = 0; i < 3; i++) {
    const summary = await desk.run(stays, (pace) => eventSummary(desk, selectionOf(wanted), pace));
    expect(summary).toEqual(naiveSummary(events, wanted));
  }
}

describe('what earlier scans have counted of a run', () => {
  // oxlint-disable-next-line jest/expect-expect -- checkThrice expects.
  it('does not hold for the rows that the tail gets, even of the same entities', async () => {
    const { history, add } = await store(4_096);
    const desk = new ScanDesk(history);
    const events: PlainEvent[] = [];
    for (let stage = 0; stage < 3; stage++) {
      const more = Array.from({ length: 90 }, (_, i) => eventOf(i % 7, stage * 90 + i));
      events.push(...more);
      await add(more);
      await checkThrice(desk, events, { tenant: 'acme' });
      await checkThrice(desk, events, { tenant: 'acme', type: 't.odd' });
    }
  });

  // oxlint-disable-next-line jest/expect-expect -- checkThrice expects.
  it('does not outlive the numbers that it is counted by', async () => {
    const { history, add } = await store(40);
    const desk = new ScanDesk(history, { numbers: new EntityNumbers({ entitiesMax: 150 }) });
    const acme = Array.from({ length: 120 }, (_, i) => eventOf(i % 97, i));
    const globex = Array.from({ length: 120 }, (_, i) => eventOf(i % 101, 120 + i, 'globex'));
    const events = [...acme, ...globex];
    await add(events);
    await checkThrice(desk, events, { tenant: 'acme' });
    // Both tenants together have too many entities, so numbers begin anew: with those of the third block first.
    await checkThrice(desk, events, { tenant: 'globex' });
    await checkThrice(desk, events, { tenant: 'acme', sinceMs: START + 80, untilMs: START + 119 });
    await checkThrice(desk, events, { tenant: 'acme' });
  });
});

describe('an answer', () => {
  it('is true at its position, whatever is appended while it is made', async () => {
    const random = new Random(propertySeed('analytics while appending'));
    const { history, add } = await store(90);
    const events = generated(random, 700, START);
    let known = 0;
    const isWhole = () => known === events.length;
    const more = async () => {
      await add(events.slice(known, known + 20));
      known = Math.min(events.length, known + 20);
    };
    for (let i = 0; i < 15; i++) await more();
    const desk = new ScanDesk(history);
    // Every look at the clock gives others a turn, in which they append.
    const pace = { isTurnOver: true, nextTurn: more };
    while (!isWhole()) {
      const present = events.slice(0, known);
      const selection = { tenant: 'acme', untilPosition: history.appliedPosition };
      const wanted = { tenant: 'acme' };
      expect(await eventSummary(desk, selection, pace)).toEqual(naiveSummary(present, wanted));
      const { type: typeA } = random.pick(events);
      const typeB = events.find((event) => event.type !== typeA)?.type ?? 'none.none';
      const now = events.slice(0, known);
      const question = {
        selection: { tenant: 'acme', untilPosition: history.appliedPosition },
        typeA,
        typeB,
        windowMicros: HOUR * 1000,
      };
      const { seconds: _, ...pairs } = naiveCorrelation(now, wanted, {
        typeA,
        typeB,
        windowMs: HOUR,
      });
      expect(await eventCorrelation(desk, question, pace)).toMatchObject(pairs);
    }
  });
});

describe('scans', () => {
  const events = generated(new Random(3), 30_000, START);

  it('leave the event loop to others, many at once', async () => {
    const { history, add } = await store(20_000);
    await add(events);
    const desk = new ScanDesk(history);
    let rounds = 0;
    const timer = setInterval(() => rounds++, 0);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        desk.run(stays, (pace) => eventSummary(desk, { tenant: 'acme' }, pace)),
      ),
    );
    clearInterval(timer);
    delay.disable();
    process.stdout.write(
      `12 summaries: ${rounds} rounds of others, delay max ${(delay.max / 1e6).toFixed(1)} ms\n`,
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(rounds).toBeGreaterThan(0);
  });

  it('that are too many are refused, and all others answered', async () => {
    const { history, add } = await store(1_000);
    await add(events.slice(0, 500));
    const turns = new ScanTurns({ scansMax: 2, waitingMax: 3 });
    const desk = new ScanDesk(history, { turns });
    const ask = () => desk.run(stays, (pace) => eventSummary(desk, { tenant: 'acme' }, pace));
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, ask));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.map((one) => 'reason' in one && (one.reason as { code: string }).code)).toEqual(
      Array.from({ length: 4 }, () => 'overloaded'),
    );
    expect((await ask()).total_events).toBeGreaterThan(0);
  });

  it('end when their reader has gone or their time is over, and make room', async () => {
    const { history, add } = await store(1_000);
    await add(events.slice(0, 500));
    const turns = new ScanTurns({ scansMax: 1, scanMs: -1 });
    const desk = new ScanDesk(history, { turns });
    const late = desk.run(stays, (pace) => eventSummary(desk, { tenant: 'acme' }, pace));
    const gone = desk.run(
      () => true,
      (pace) => eventSummary(desk, { tenant: 'acme' }, pace),
    );
    await expect(late).rejects.toMatchObject({ code: 'query_budget_exceeded' });
    await expect(gone).rejects.toBeInstanceOf(ReaderGone);
  });

  it('that would tell too many entities apart are refused with the limit', async () => {
    const { history, add } = await store(1_000);
    const some = events.slice(0, 50).map((event, i) => ({ ...event, entity: `e-${i % 11}` }));
    await add(some);
    const numbers = new EntityNumbers({ entitiesMax: 5 });
    const desk = new ScanDesk(history, { numbers });
    const answer = desk.run(stays, (pace) => eventSummary(desk, { tenant: 'acme' }, pace));
    await expect(answer).rejects.toMatchObject({
      code: 'query_budget_exceeded',
      members: { budget: 'entities', limit: 5 },
    });
  });
});
