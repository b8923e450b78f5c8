import type { Upcasts } from '@allsource/schemas/upcasting';
import { type Call, type Route, readJsonObject } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { EVENT_TYPE_BYTES_MAX, quoted } from '@allsource/shared/model';
import type { Consumer } from '../consumers/consumer-fold.ts';
import type { ConsumerService } from '../consumers/consumer-service.ts';
import { askedTexts } from '../feed/reader-texts.ts';

const BODY_BYTES_MAX = 64 * 1024;
// A pattern is an event type and at most two characters more (".*").
const PATTERN_BYTES_MAX = EVENT_TYPE_BYTES_MAX + 2;
const POLL_EVENTS_DEFAULT = 100;

/** The routes of durable consumers. */
export function consumerRoutes(consumers: ConsumerService, upcasts: Upcasts): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/consumers',
      needs: 'write',
      summary: 'Registers a consumer or changes its filters; its cursor stays.',
      handle: (call) => register(call, consumers),
    },
    {
      method: 'GET',
      path: '/api/v1/consumers/:consumerId',
      needs: 'read',
      summary: 'A consumer: its filters and its cursor.',
      handle: (call) => call.json(200, consumerJson(consumers.get(call.tenant(), idOf(call)))),
    },
    {
      method: 'GET',
      path: '/api/v1/consumers/:consumerId/events',
      needs: 'read',
      summary: 'The next events behind the cursor of a consumer; the cursor stays.',
      handle: (call) => poll(call, consumers, upcasts),
    },
    {
      method: 'POST',
      path: '/api/v1/consumers/:consumerId/ack',
      needs: 'write',
      summary: 'Records how far a consumer has come.',
      handle: (call) => acknowledge(call, consumers),
    },
  ];
}

function idOf(call: Call): string {
  return call.pathParameter('consumerId');
}

function consumerJson(consumer: Consumer): object {
  return {
    consumer_id: consumer.id,
    event_type_filters: consumer.filter.patterns,
    cursor_position: consumer.cursor === 0 ? null : consumer.cursor,
  };
}

async function register(call: Call, consumers: ConsumerService): Promise<void> {
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, BODY_BYTES_MAX);
  const id = body['consumer_id'];
  if (typeof id !== 'string')
    throw problem('invalid_body', "'consumer_id' must be a text.", { pointer: '/consumer_id' });
  const filters = parseFilters(body['event_type_filters'] ?? []);
  call.json(200, consumerJson(await consumers.register(tenant, id, filters)));
}

function parseFilters(value: unknown): string[] {
  const pointer = '/event_type_filters';
  if (!Array.isArray(value) || value.length > LIMITS.filtersMax) {
    throw problem(
      'invalid_body',
      `'event_type_filters' must be a list of at most ${LIMITS.filtersMax} event types or patterns such as order.*`,
      { pointer, limit: LIMITS.filtersMax },
    );
  }
  return value.map((pattern: unknown, index) => {
    if (typeof pattern === 'string' && isPattern(pattern)) return pattern;
    const shown = typeof pattern === 'string' ? quoted(pattern) : typeof pattern;
    throw problem(
      'invalid_body',
      `'event_type_filters' holds ${shown}; each must be a text of 1 to ${PATTERN_BYTES_MAX} bytes, such as order.placed or order.*`,
      { pointer: `${pointer}/${index}` },
    );
  });
}

function isPattern(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= PATTERN_BYTES_MAX && text.isWellFormed();
}

async function acknowledge(call: Call, consumers: ConsumerService): Promise<void> {
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, BODY_BYTES_MAX);
  const at = body['position'];
  if (typeof at !== 'number' || !Number.isInteger(at) || at < 0) {
    throw problem('invalid_body', "'position' must be a whole number from 0.", {
      pointer: '/position',
    });
  }
  const consumer = await consumers.acknowledge(tenant, idOf(call), at);
  call.json(200, {
    status: 'ok',
    consumer_id: consumer.id,
    position: at,
    cursor_position: consumer.cursor === 0 ? null : consumer.cursor,
  });
}

async function poll(call: Call, consumers: ConsumerService, upcasts: Upcasts): Promise<void> {
  const limit =
    call.query.integer('limit', { min: 0, max: LIMITS.pageEventsMax }) ?? POLL_EVENTS_DEFAULT;
  const texts = askedTexts(call.query, upcasts);
  const events = await consumers.poll(call.tenant(), idOf(call), { limit, texts });
  const printed = events.map(({ json }) => json).join(',');
  const failures = texts.failures === null ? '' : `,"upcast_errors":${texts.failures}`;
  call.json(200, `{"events":[${printed}],"count":${events.length}${failures}}`);
}
