import { problem } from '@allsource/shared/errors';
import {
  entityIdFault,
  eventTypeFault,
  parseTimestamp,
  quoted,
  tenantIdFault,
} from '@allsource/shared/model';
import { isRecord } from '../upstream/answer-members.ts';

const NAME_LENGTH_MAX = 200;

type Body = Readonly<Record<string, unknown>>;

/** What a snapshot is asked for: one entity, or all of the tenant. */
export interface SnapshotRequest {
  /** Whose entities, where an administrator works for another tenant. */
  readonly tenant_id?: string;
  readonly entity_id?: string;
}

/** What a replay is asked for; what is not given does not restrict it. */
export interface ReplayRequest {
  /** Whose events, where an administrator works for another tenant. */
  readonly tenant_id?: string;
  readonly entity_id?: string;
  readonly event_type?: string;
  /** Passed on as they are; the query service checks them. */
  readonly event_types?: readonly unknown[];
  readonly config?: object;
  readonly projection_name?: string;
  readonly from_timestamp?: string;
  readonly to_timestamp?: string;
}

/** Reads the body of a snapshot request. Throws a problem that names the member that is wrong. */
export function parseSnapshotRequest(body: Body): SnapshotRequest {
  return defined({
    tenant_id: checkedText(body, 'tenant_id', tenantIdFault),
    entity_id: checkedText(body, 'entity_id', entityIdFault),
  });
}

/** Whose Parquet files an administrator wants compacted; null where the body does not say. */
export function parseCompactionTenant(body: Body): string | null {
  return checkedText(body, 'tenant_id', tenantIdFault) ?? null;
}

/** Reads the body of a replay request. `as_of` is the older name of `to_timestamp`. */
export function parseReplayRequest(body: Body): ReplayRequest {
  const asOf = instant(body, 'as_of');
  const until = instant(body, 'to_timestamp');
  if (asOf !== undefined && until !== undefined && asOf !== until) {
    throw problem(
      'invalid_body',
      "'as_of' and 'to_timestamp' mean the same and differ. Give one of them.",
      { pointer: '/as_of' },
    );
  }
  return defined({
    tenant_id: checkedText(body, 'tenant_id', tenantIdFault),
    entity_id: checkedText(body, 'entity_id', entityIdFault),
    event_type: checkedText(body, 'event_type', eventTypeFault),
    event_types: passedOn(body, 'event_types', Array.isArray),
    projection_name: checkedText(body, 'projection_name', nameFault),
    from_timestamp: instant(body, 'from_timestamp'),
    to_timestamp: until ?? asOf,
    config: passedOn(body, 'config', isRecord),
  });
}

function checkedText(
  body: Body,
  member: string,
  faultOf: (value: string) => string | null,
): string | undefined {
  const value = body[member];
  if (value === undefined || value === null) return undefined;
  const pointer = `/${member}`;
  if (typeof value !== 'string')
    throw problem('invalid_body', `'${member}' must be a string.`, { pointer });
  const fault = faultOf(value);
  if (fault !== null) throw problem('invalid_body', `'${member}': ${fault}`, { pointer });
  return value;
}

function passedOn<T>(
  body: Body,
  member: string,
  isOne: (value: unknown) => value is T,
): T | undefined {
  const value = body[member];
  if (value === undefined || value === null) return undefined;
  if (isOne(value)) return value;
  throw problem(
    'invalid_body',
    `'${member}' must be ${isOne === Array.isArray ? 'a list' : 'an object'}.`,
    {
      pointer: `/${member}`,
    },
  );
}

function instant(body: Body, member: string): string | undefined {
  return checkedText(body, member, (value) =>
    parseTimestamp(value) === null
      ? `${quoted(value)} is no RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z.`
      : null,
  );
}

function nameFault(value: string): string | null {
  return value.trim() === '' || value.length > NAME_LENGTH_MAX
    ? `a name has 1 to ${NAME_LENGTH_MAX} characters.`
    : null;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The members that have a value. */
function defined<T extends Record<string, unknown>>(members: T): Defined<T> {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<T>;
}
