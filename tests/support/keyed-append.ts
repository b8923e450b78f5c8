import { SeededRandom } from '@allsource/testkit';

/** One event as a client sends it; payload and metadata are JSON text that must come back byte for byte. */
export interface SentEvent {
  readonly entity: string;
  readonly type: string;
  readonly payload: string;
  readonly metadata: string | null;
}

/** A request body that follows from its Idempotency-Key alone, so that what is found under a key can be checked without having kept what was sent. */
export interface KeyedAppend {
  readonly key: string;
  readonly path: '/api/v1/events' | '/api/v1/events/batch';
  readonly body: string;
  readonly events: readonly SentEvent[];
}

const ENTITIES = 200;
const BATCH_EVENTS_MAX = 20;
// Numbers, spaces and escapes that a parser in between would change.
const VALUES = [
  '1.0',
  '12345678901234567890',
  '-0',
  '1e400',
  '"\\u00e9\\/"',
  '"日本 🚲"',
  '[ ]',
  '{ }',
];
const TYPES = ['order.placed', 'order.paid', 'asset.moved_to'];

/** The append that a key names. About half of them are batches; `padding` more bytes go into each payload. */
export function keyedAppend(key: string, padding = 0): KeyedAppend {
  const random = new SeededRandom(hashOf(key));
  const isBatch = random.below(2) === 0;
  const count = isBatch ? 1 + random.below(BATCH_EVENTS_MAX) : 1;
  const events = Array.from({ length: count }, () => sentEvent(random, key, padding));
  const texts = events.map(eventText);
  return {
    key,
    path: isBatch ? '/api/v1/events/batch' : '/api/v1/events',
    body: isBatch ? `{"events":[${texts.join(',')}]}` : texts.join(''),
    events,
  };
}

function sentEvent(random: SeededRandom, key: string, padding: number): SentEvent {
  const filler = 'x'.repeat(padding + random.below(300));
  return {
    entity: `entité-${random.below(ENTITIES)}`,
    type: random.pick(TYPES),
    payload: `{"key":"${key}" , "value":${random.pick(VALUES)},\n"value":${random.pick(VALUES)},"filler":"${filler}"}`,
    metadata: random.below(3) === 0 ? `{ "n":${random.pick(VALUES)} }` : null,
  };
}

function eventText({ entity, type, payload, metadata }: SentEvent): string {
  const rest = metadata === null ? '' : `,"metadata":${metadata}`;
  return `{"entity_id":${JSON.stringify(entity)},"event_type":"${type}","payload":${payload}${rest}}`;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
