import { problem } from '@allsource/shared/errors';
import { type Clock, eventTypeFault, type Position } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import { eventCorrelation } from '../analytics/correlation.ts';
import { eventFrequency } from '../analytics/frequency.ts';
import { eventSummary } from '../analytics/summary.ts';
import { WINDOWS } from '../analytics/time-grid.ts';
import type { EventHistory, EventSelection } from '../history/event-history.ts';
import type { ReadGate } from '../reads/read-gate.ts';

export interface AnalyticsRoutesOptions {
  readonly history: EventHistory;
  readonly gate: ReadGate;
  readonly clock: Clock;
}

const SECONDS_MAX = 100 * 366 * 86_400;

/** Counts over time, by type and by entity, and how types go together. Each is answered at one position of the log. */
export function analyticsRoutes(options: AnalyticsRoutesOptions): Route[] {
  return ['/api/v1/analytics', '/api/analytics'].flatMap((base): Route[] => [
    {
      method: 'GET',
      path: `${base}/frequency`,
      needs: 'read',
      summary: 'Event counts in buckets of a minute, an hour, a day, a week or a month.',
      handle: (call) => answerFrequency(call, options),
    },
    {
      method: 'GET',
      path: `${base}/summary`,
      needs: 'read',
      summary: 'Event counts by type and by entity.',
      handle: (call) => answerSummary(call, options),
    },
    {
      method: 'GET',
      path: `${base}/correlation`,
      needs: 'read',
      summary: 'How often events of two types come near each other on the same entity.',
      handle: (call) => answerCorrelation(call, options),
    },
  ]);
}

async function answerFrequency(call: Call, options: AnalyticsRoutesOptions): Promise<void> {
  const since = required(call.query.timestamp('since'), 'since');
  const window = required(call.query.choice('window', WINDOWS), 'window');
  const monthStep = call.query.choice('month_step', ['calendar', '30d'] as const) ?? 'calendar';
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const now = options.clock.nowMicros();
  const until = selection.until ?? null;
  const question = { selection, window, monthStep, since, until, now };
  call.json(200, await eventFrequency(options.history, question));
}

async function answerSummary(call: Call, options: AnalyticsRoutesOptions): Promise<void> {
  const selection = { ...(await admitted(call, options)), ...names(call) };
  call.json(200, await eventSummary(options.history, selection));
}

async function answerCorrelation(call: Call, options: AnalyticsRoutesOptions): Promise<void> {
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
  call.json(
    200,
    await eventCorrelation(options.history, { selection, typeA, typeB, windowMicros }),
  );
}

/** Waits until the history is as new as the caller asks for, and names what the caller may see: its tenant and its time range. */
async function admitted(call: Call, { gate }: AnalyticsRoutesOptions): Promise<EventSelection> {
  const tenant = call.tenant();
  const since = call.query.timestamp('since') ?? undefined;
  const until = call.query.timestamp('until') ?? undefined;
  if (since !== undefined && until !== undefined && until < since) {
    throw problem('invalid_parameter', "'until' lies before 'since'.", { parameter: 'until' });
  }
  const untilPosition: Position = await gate.admit(call);
  return { tenant, since, until, untilPosition };
}

function names(call: Call): Pick<EventSelection, 'entity' | 'type'> {
  return {
    entity: call.query.text('entity_id') ?? undefined,
    type: call.query.text('event_type') ?? undefined,
  };
}

function required<T>(value: T | null, name: string): T {
  if (value !== null) return value;
  throw problem('invalid_parameter', `The parameter '${name}' is missing.`, { parameter: name });
}

function requiredType(call: Call, name: string): string {
  const type = call.query.requiredText(name);
  const fault = eventTypeFault(type);
  if (fault !== null) throw problem('invalid_parameter', fault, { parameter: name });
  return type;
}
