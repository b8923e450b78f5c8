import { problem } from '@allsource/shared/errors';
import { type Clock, eventTypeFault } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import { eventCorrelation } from '../analytics/correlation.ts';
import { type Frequency, type FrequencyBucket, eventFrequency } from '../analytics/frequency.ts';
import { ScanDesk } from '../analytics/scan-desk.ts';
import { eventSummary } from '../analytics/summary.ts';
import { WINDOWS } from '../analytics/time-grid.ts';
import type { EventHistory } from '../history/event-history.ts';
import type { EventAnswers } from './event-pages.ts';
import { admitted, names, required, scanned } from './analytics-call.ts';
import { statisticsRoutes } from './statistics-routes.ts';
import { writeList } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import type { ReadGate } from '../reads/read-gate.ts';

export interface AnalyticsRoutesOptions {
  readonly history: EventHistory;
  readonly gate: ReadGate;
  readonly clock: Clock;
  /** Answers to queries that are kept; their figures are shown. */
  readonly answers?: EventAnswers;
}

const SECONDS_MAX = 100 * 366 * 86_400;

/** Counts over time, by type and by entity, and how types go together. Each is answered at one position of the log. */
export function analyticsRoutes(options: AnalyticsRoutesOptions): Route[] {
  const desk = new ScanDesk(options.history);
  return ['/api/v1/analytics', '/api/analytics'].flatMap((base): Route[] => [
    {
      method: 'GET',
      path: `${base}/frequency`,
      needs: 'read',
      summary: 'Event counts in buckets of a minute, an hour, a day, a week or a month.',
      handle: (call) => answerFrequency(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/summary`,
      needs: 'read',
      summary: 'Event counts by type and by entity.',
      handle: (call) => answerSummary(call, options, desk),
    },
    {
      method: 'GET',
      path: `${base}/correlation`,
      needs: 'read',
      summary: 'How often events of two types come near each other on the same entity.',
      handle: (call) => answerCorrelation(call, options, desk),
    },
    ...statisticsRoutes(base, options, desk),
  ]);
}

async function answerFrequency(
  call: Call,
  options: AnalyticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const since = required(call.query.timestamp('since'), 'since');
  const window = required(call.query.choice('window', WINDOWS), 'window');
  const monthStep = call.query.choice('month_step', ['calendar', '30d'] as const) ?? 'calendar';
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const now = options.clock.nowMicros();
  const until = selection.until ?? null;
  const question = { selection, window, monthStep, since, until, now };
  const answer = await scanned(call, desk, (pace) => eventFrequency(desk, question, pace));
  if (answer !== null) await writeFrequency(call, answer);
}

/** A long answer is printed bucket by bucket. */
async function writeFrequency(call: Call, answer: Frequency): Promise<void> {
  const { buckets, totalEvents: total_events, window, from, to } = answer;
  const rest = JSON.stringify({ total_events, window, time_range: { from, to } });
  const list = { head: '{"buckets":[', elements: buckets, tail: `],${rest.slice(1)}` };
  await writeList(new JsonWriter(call.response), list, (writer, bucket: FrequencyBucket) =>
    writer.text(JSON.stringify(bucket)),
  );
}

async function answerSummary(
  call: Call,
  options: AnalyticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const answer = await scanned(call, desk, (pace) => eventSummary(desk, selection, pace));
  if (answer !== null) call.json(200, answer);
}

async function answerCorrelation(
  call: Call,
  options: AnalyticsRoutesOptions,
  desk: ScanDesk,
): Promise<void> {
  const typeA = requiredType(call, 'event_type_a');
  const typeB = requiredType(call, 'event_type_b');
  if (typeA === typeB) {
    throw problem('invalid_parameter', 'event_type_a and event_type_b must be two types.', {
      parameter: 'event_type_b',
    });
  }
  const seconds = required(
    call.query.integer('time_window_seconds', { min: 0, max: SECONDS_MAX }),
    'time_window_seconds',
  );
  const selection = await admitted(call, options);
  const windowMicros = seconds * 1_000_000;
  const question = { selection, typeA, typeB, windowMicros };
  const answer = await scanned(call, desk, (pace) => eventCorrelation(desk, question, pace));
  if (answer !== null) call.json(200, answer);
}

function requiredType(call: Call, name: string): string {
  const type = call.query.requiredText(name);
  const fault = eventTypeFault(type);
  if (fault !== null) throw problem('invalid_parameter', fault, { parameter: name });
  return type;
}
