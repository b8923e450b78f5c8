import { availableParallelism } from 'node:os';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import {
  entityIdFault,
  eventTypeFault,
  type Micros,
  parseTimestamp,
  quoted,
} from '@allsource/shared/model';
import type { ReplayFilter } from './replay-filter.ts';
import type { ReplayConfig } from './replay-record.ts';

const BATCH_EVENTS_DEFAULT = 1_000;
const WORKERS_DEFAULT = 4;
const PROGRESS_EVENTS_DEFAULT = 1_000;
const NAME_LENGTH_MAX = 200;

type Body = Readonly<Record<string, unknown>>;

/** What the body of a request for a replay says. */
export interface ReplayWish {
  readonly projection: string | null;
  readonly filter: ReplayFilter;
  readonly config: ReplayConfig;
}

/** Reads the body of a request for a replay. Throws a problem that names the member that is wrong. Members that are not known are passed over. */
export function parseReplayWish(body: Body): ReplayWish {
  const projection = text(body, 'projection_name');
  if (projection !== null && (projection === '' || projection.length > NAME_LENGTH_MAX))
    throw invalid('projection_name', `must have 1 to ${NAME_LENGTH_MAX} characters`);
  const filter = {
    entity: checked(text(body, 'entity_id'), 'entity_id', entityIdFault),
    types: eventTypes(body),
    from: instant(body, 'from_timestamp'),
    to: instant(body, 'to_timestamp'),
  };
  if (filter.from !== null && filter.to !== null && filter.to < filter.from)
    throw invalid('to_timestamp', "lies before 'from_timestamp'");
  return { projection, filter, config: parseConfig(body['config']) };
}

function eventTypes(body: Body): readonly string[] | null {
  const one = checked(text(body, 'event_type'), 'event_type', eventTypeFault);
  const many = body['event_types'];
  if (many === undefined || many === null) return one === null ? null : [one];
  if (one !== null) throw invalid('event_types', "and 'event_type' mean the same. Give one");
  const limit = LIMITS.replayTypesMax;
  if (!Array.isArray(many) || many.length === 0 || many.length > limit)
    throw invalid('event_types', `must be a list of 1 to ${limit} event types`, { limit });
  const types = many.map((type: unknown) => {
    if (typeof type !== 'string') throw invalid('event_types', 'must hold strings only');
    return checked(type, 'event_types', eventTypeFault) ?? type;
  });
  return [...new Set(types)];
}

function parseConfig(given: unknown): ReplayConfig {
  if (given === undefined || given === null) return parseConfig({});
  if (typeof given !== 'object' || Array.isArray(given))
    throw invalid('config', 'must be an object');
  const config = given as Body;
  const isParallel = flag(config, 'parallel') ?? false;
  const workers = whole(config, 'workers', LIMITS.replayWorkersMax) ?? WORKERS_DEFAULT;
  const isTold = flag(config, 'emit_progress') ?? true;
  const progressEvents =
    whole(config, 'progress_interval', Number.MAX_SAFE_INTEGER) ?? PROGRESS_EVENTS_DEFAULT;
  return {
    batchEvents: whole(config, 'batch_size', LIMITS.replayBatchEventsMax) ?? BATCH_EVENTS_DEFAULT,
    workers: isParallel ? Math.min(workers, availableParallelism()) : 1,
    progressEvents: isTold ? progressEvents : null,
  };
}

function text(body: Body, member: string): string | null {
  const value = body[member];
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  throw invalid(member, 'must be a string');
}

function checked(
  value: string | null,
  member: string,
  faultOf: (value: string) => string | null,
): string | null {
  const fault = value === null ? null : faultOf(value);
  if (fault === null) return value;
  throw problem('invalid_body', `'${member}': ${fault}`, { pointer: `/${member}` });
}

function instant(body: Body, member: string): Micros | null {
  const value = text(body, member);
  if (value === null) return null;
  const parsed = parseTimestamp(value);
  if (parsed !== null) return parsed;
  throw invalid(
    member,
    `is ${quoted(value)}; allowed is an RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z`,
  );
}

function flag(config: Body, member: string): boolean | null {
  const value = config[member];
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value;
  throw invalid(`config/${member}`, 'must be true or false');
}

function whole(config: Body, member: string, max: number): number | null {
  const value = config[member];
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max)
    return value;
  throw invalid(`config/${member}`, `must be a whole number from 1 to ${max}`, { limit: max });
}

function invalid(member: string, what: string, members: { readonly limit?: number } = {}): Error {
  return problem('invalid_body', `'${member.replace('/', '.')}' ${what}.`, {
    pointer: `/${member}`,
    ...members,
  });
}
