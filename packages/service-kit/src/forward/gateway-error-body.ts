/**
 * Translates the error body of a service behind into the form of the gateway, where `error` is always an object:
 *
 *     core           {"error": "Invalid input: ...", "code", "detail", ...}          ->  {"error": {"code", "message", ...}, "code", "detail", ...}
 *     core, 409      {"error": "version_conflict", "expected_version", "current_version"}  ->  the same with all members of a problem
 *     control plane  {"error": "<code>", "message": "...", ...}                      ->  {"error": {"code", "message", ...}, ...}
 */
import {
  type Problem,
  type ProblemContext,
  problem,
  problemFacts,
  problemToWire,
} from '@allsource/shared/errors';
import { parsedError, unreadableError } from './upstream-error.ts';

/** The gateway's body for an error that a service behind answered with `text`. */
export function gatewayErrorBody(
  status: number,
  text: string,
  context: ProblemContext,
): Record<string, unknown> {
  const body = parsedError(text);
  if (body === null) return problemToWire(unreadableError(status), 'gateway', context);
  const { error, message, ...members } = body;
  if (typeof error === 'object' && error !== null) return { ...body, ...context };
  if (error === 'version_conflict') {
    return problemToWire(versionConflict(members), 'gateway', context);
  }
  const code = firstText(members['code'], typeof message === 'string' ? error : null, 'error');
  const said = firstText(members['detail'], message, error, `The request failed (${status}).`);
  const errorObject = { code, message: said, ...problemFacts(members) };
  return { status, code, detail: said, ...members, ...context, error: errorObject };
}

function versionConflict(members: Record<string, unknown>): Problem {
  const { expected_version: expected, current_version: current } = members;
  return problem(
    'version_conflict',
    `The entity is at version ${String(current)}, and the request expects ${String(expected)}. Read the entity again, decide again, and append with the current version.`,
    { expected_version: Number(expected), current_version: Number(current) },
  );
}

function firstText(...candidates: unknown[]): string {
  const text = candidates.find((candidate) => typeof candidate === 'string' && candidate !== '');
  return String(text);
}
