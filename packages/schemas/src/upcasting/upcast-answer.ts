/** How clients ask for payloads in another form, and what an event says of its form in an answer. */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import type { Upcast, UpcastFailure, UpcastTarget } from './upcasts.ts';

/** What a read asks for; null: payloads as they are stored. */
export type AskedUpcast = { readonly target: UpcastTarget } | null;

const VIOLATIONS_SHOWN = 10;

/** Reads the parameter `upcast`: true for the newest version, or a version. Throws `invalid_parameter`. */
export function parseUpcast(text: string | null): AskedUpcast {
  if (text === null || text === 'false') return null;
  if (text === 'true') return { target: null };
  const target = Number(text);
  if (/^\d{1,9}$/.test(text) && target >= 1 && target <= LIMITS.schemaVersionsMax)
    return { target };
  throw problem(
    'invalid_parameter',
    `'upcast' is ${quoted(text)}; allowed are true for the newest version of each schema, or a version from 1 to ${LIMITS.schemaVersionsMax}.`,
    { parameter: 'upcast' },
  );
}

/** A failure as clients see it. */
export function failureMembers(failure: UpcastFailure) {
  return {
    detail: failure.detail,
    schema_version: failure.storedVersion,
    target_version: failure.targetVersion,
    violations: failure.violations.slice(0, VIOLATIONS_SHOWN),
  };
}

/**
 * Members of an event as JSON text, each with a comma before it: the version of the schema that its payload has here, and the one that it is stored with. Where it could not be upcast
 * its payload is null, and `upcast_error` says why.
 */
export function versionMembers(upcast: Upcast): string {
  if (upcast.kind === 'same')
    return `,"schema_version":${upcast.version},"stored_schema_version":${upcast.version}`;
  if (upcast.kind === 'upcast')
    return `,"schema_version":${upcast.version},"stored_schema_version":${upcast.storedVersion}`;
  const { failure } = upcast;
  const error = JSON.stringify({ code: 'upcast_failed', ...failureMembers(failure) });
  return `,"schema_version":null,"stored_schema_version":${failure.storedVersion},"upcast_error":${error}`;
}
