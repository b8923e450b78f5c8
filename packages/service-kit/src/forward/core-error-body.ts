/**
 * Translates the error body of the gateway into the form of core, where `error` is a text with the prefix that clients of core know:
 *
 *     gateway   {"error": {"code": "invalid_parameter", "message": "...", ...}, "code", "detail", ...}
 *     core      {"error": "Invalid input: ...", "code", "detail", ...}
 *     core, 409 {"error": "version_conflict", "expected_version", "current_version"}, flat and exact
 */
import {
  ERROR_CATALOGUE,
  isErrorCode,
  type ProblemContext,
  problemToWire,
} from '@allsource/shared/errors';
import { parsedError, unreadableError } from './upstream-error.ts';

/** Core's body for an error that the gateway answered with `text`. */
export function coreErrorBody(
  status: number,
  text: string,
  context: ProblemContext,
): Record<string, unknown> {
  const body = parsedError(text);
  if (body === null) return problemToWire(unreadableError(status), 'core', context);
  const { error, ...members } = body;
  if (members['code'] === 'version_conflict') {
    const { expected_version, current_version } = members;
    return { error: 'version_conflict', expected_version, current_version };
  }
  return { error: coreMessage(status, error), ...members, ...context };
}

function coreMessage(status: number, error: unknown): string {
  if (typeof error === 'string') return error;
  const { code, message }: { readonly code?: unknown; readonly message?: unknown } =
    typeof error === 'object' && error !== null ? error : {};
  const said = typeof message === 'string' ? message : `The request failed (${status}).`;
  return typeof code === 'string' && isErrorCode(code)
    ? ERROR_CATALOGUE[code].corePrefix + said
    : said;
}
