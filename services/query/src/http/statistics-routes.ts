/** Statistics over a numeric field of payloads, and over windows and sessions of events. Each is answered at one position of the log. */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Clock, formatTimestamp, type Micros, quoted } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import { fieldPercentiles, fieldSpread } from '../analytics/field-statistics.ts';
import { PayloadField } from '../analytics/payload-field.ts';
import type { CacheFigures } from '../analytics/run-cache.ts';
import type { ScanDesk } from '../analytics/scan-desk.ts';
import { eventSessions } from '../analytics/session-window.ts';
import { slidingWindows } from '../analytics/sliding-window.ts';
import { writeList } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import type { ReadGate } from '../reads/read-gate.ts';
import { admitted, names, required, scanned } from './analytics-call.ts';

export interface StatisticsRoutesOptions {
  readonly gate: ReadGate;
  readonly clock: Clock;
  readonly answers?: { readonly figures: CacheFigures };
}

const SECONDS_MAX = 100 * 366 * 86_400;
const SECONDS = { min: 1, max: SECONDS_MAX };
const PERCENTS_DEFAULT = [50, 90, 95, 99];
const PERCENTS_MAX = 20;
const SESSIONS_DEFAULT = 100;

/** The routes of statistics below one base. */
export function statisticsRoutes(
  base: string,
  options: StatisticsRoutesOptions,
  desk: ScanDesk,
): Route[] {
  return [
    {
      method: 'GET',
      path: `${base}/percentiles`,
      needs: 'read',
      summary: 'Percentiles of a numeric field of payloads.',
      handle: (call) => answerPercentiles(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/stddev`,
      needs: 'read',
      summary: 'Mean, variance and standard deviation of a numeric field of payloads.',
      handle: (call) => answerSpread(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/sliding-window`,
      needs: 'read',
      summary: 'Counts, and sums of a numeric field, in windows that overlap.',
      handle: (call) => answerSliding(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/session-window`,
      needs: 'read',
      summary: 'Sessions: events of an entity that follow each other closely.',
      handle: (call) => answerSessions(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/cache/stats`,
      needs: 'metrics',
      summary: 'What the caches of reads and analytics hold, for all tenants together.',
      handle: (call) => answerCaches(call, options, desk),
    },
  ];
}

async function answerPercentiles(
  call: Call,
  options: StatisticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const field = new PayloadField(call.query.requiredText('field'));
  const percents = percentsOf(call.query.text('percentiles'));
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const answer = await scanned(call, desk, (turn) =>
    fieldPercentiles(desk, { selection, field, percents }, turn),
  );
  if (answer !== null) call.json(200, answer);
}

function percentsOf(text: string | null): number[] {
  if (text === null) return PERCENTS_DEFAULT;
  const parts = text.split(',').map((part) => part.trim().replace(/^p(?=\d)/i, ''));
  const percents = parts.map(Number);
  const isGood =
    parts.length <= PERCENTS_MAX &&
    parts.every((part) => /^\d{1,3}(?:\.\d{1,6})?$/.test(part)) &&
    percents.every((percent) => percent <= 100);
  if (isGood) return [...new Set(percents)];
  throw problem(
    'invalid_parameter',
    `'percentiles' is ${quoted(text)}; allowed are up to ${PERCENTS_MAX} numbers from 0 to 100, joined by commas, such as 50,95,99.9.`,
    { parameter: 'percentiles' },
  );
}

async function answerSpread(
  call: Call,
  options: StatisticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const field = new PayloadField(call.query.requiredText('field'));
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const answer = await scanned(call, desk, (turn) => fieldSpread(desk, { selection, field }, turn));
  if (answer !== null) call.json(200, answer);
}

async function answerSliding(
  call: Call,
  options: StatisticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const since = required(call.query.timestamp('since'), 'since');
  const windowSeconds = required(call.query.integer('window_seconds', SECONDS), 'window_seconds');
  const slideSeconds = call.query.integer('slide_seconds', SECONDS) ?? windowSeconds;
  if (windowSeconds % slideSeconds !== 0) throw unevenSlide(windowSeconds, slideSeconds);
  const fieldText = call.query.text('field');
  const field = fieldText === null ? null : new PayloadField(fieldText);
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const until = selection.until ?? (Math.max(since, options.clock.nowMicros()) as Micros);
  const question = { selection, since, until, windowSeconds, slideSeconds, field };
  const answer = await scanned(call, desk, (turn) => slidingWindows(desk, question, turn));
  if (answer === null) return;
  const facts = {
    window_seconds: windowSeconds,
    slide_seconds: slideSeconds,
    field: field?.text ?? null,
    total_events: answer.totalEvents,
    time_range: { from: formatTimestamp(since), to: formatTimestamp(until) },
  };
  const head = `${JSON.stringify(facts).slice(0, -1)},"windows":[`;
  const list = { head, elements: answer.windows, tail: ']}' };
  await writeList(new JsonWriter(call.response), list, (writer, window) =>
    writer.text(JSON.stringify(window)),
  );
}

function unevenSlide(windowSeconds: number, slideSeconds: number): Error {
  return problem(
    'invalid_parameter',
    `'slide_seconds' is ${slideSeconds}; 'window_seconds' (${windowSeconds}) must be a whole multiple of it.`,
    { parameter: 'slide_seconds' },
  );
}

async function answerSessions(
  call: Call,
  options: StatisticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const gapSeconds = required(call.query.integer('gap_seconds', SECONDS), 'gap_seconds');
  const limits = { min: 0, max: LIMITS.sessionsListedMax };
  const limit = call.query.integer('limit', limits) ?? SESSIONS_DEFAULT;
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const answer = await scanned(call, desk, (turn) =>
    eventSessions(desk, { selection, gapSeconds, limit }, turn),
  );
  if (answer !== null) call.json(200, { gap_seconds: gapSeconds, ...answer });
}

function answerCaches(call: Call, { answers }: StatisticsRoutesOptions, desk: ScanDesk): void {
  const caches: [string, CacheFigures | undefined][] = [
    ['query_answers', answers?.figures],
    ['run_digests', desk.digests.figures],
    ['entity_numbers', desk.numbers.figures],
    ['entity_counts', desk.counts.figures],
  ];
  call.json(200, {
    caches: caches.flatMap(([name, figures]) => (figures ? [cacheJson(name, figures)] : [])),
  });
}

function cacheJson(name: string, { entries, bytes, bytesMax, hits, misses }: CacheFigures) {
  const uses = hits + misses;
  const hit_rate = uses === 0 ? null : hits / uses;
  return { name, entries, bytes, bytes_max: bytesMax, hits, misses, hit_rate };
}
