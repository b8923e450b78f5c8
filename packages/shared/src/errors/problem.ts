import { ERROR_CATALOGUE, type ErrorCode } from './catalogue.ts';

/** Extra facts of a problem, by wire name: the numbers needed to act. */
export type ProblemMembers = Readonly<
  Record<string, string | number | boolean | null | readonly unknown[] | object>
>;

/**
 * A failure that a user is told about: a code of the catalogue and one sentence with the facts (what was wrong, with which value,
 * what is allowed, what to do). The cause, if any, is for the log and never leaves the process.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ErrorCode;
  readonly members: ProblemMembers;

  constructor(code: ErrorCode, detail: string, members: ProblemMembers = {}, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.members = members;
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code].status;
  }

  /** True where something is broken, so that the service's own log has to say what; a full disk or a stop is said once, by who sees it first. */
  get isFault(): boolean {
    return this.status === 500;
  }

  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable;
  }
}

/** Creates a {@link Problem}. `members` are extra wire members such as `limit`, `index`, `expected_version`. */
export function problem(
  code: ErrorCode,
  detail: string,
  members?: ProblemMembers,
  cause?: unknown,
): Problem {
  return new Problem(code, detail, members, cause);
}
