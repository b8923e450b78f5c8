/**
 * One validation of one value: what it may still spend, where it stands, and what it has found. Without a list for violations it stops at the first
 * one, keeps no path and makes no texts.
 */

/** One thing that is wrong with a value. */
export interface SchemaViolation {
  /** JSON pointer into the value. */
  readonly pointer: string;
  /** The keyword of the schema. */
  readonly rule: string;
  readonly message: string;
}

/** The validation has used up its steps, or recurses without an end: the value is neither good nor bad. */
export class BudgetSpentError extends Error {
  override readonly name = 'BudgetSpentError';
}

/** Violations of one value that are listed; more are not looked for. */
const VIOLATIONS_MAX = 20;
/** Schemas within schemas at once. A payload has at most 64 levels, so more than this is a schema that refers to itself in place. */
const DEPTH_MAX = 1_000;

const NOTHING: readonly SchemaViolation[] = [];

export class ValidationRun {
  /** Steps left. A step is about 10 ns of work. */
  stepsLeft: number;
  /** Whether all violations are wanted, or only whether there is one. */
  isExplaining: boolean;
  #depth = 0;
  /** Null where nothing is explained: then there is no path either. */
  readonly #violations: SchemaViolation[] | null;
  readonly #path: (string | number)[] | null;
  #scope: object[] | null = null;

  constructor(options: { readonly steps: number; readonly isExplaining: boolean }) {
    this.stepsLeft = options.steps;
    this.isExplaining = options.isExplaining;
    this.#violations = options.isExplaining ? [] : null;
    this.#path = options.isExplaining ? [] : null;
  }

  get violations(): readonly SchemaViolation[] {
    return this.#violations ?? NOTHING;
  }

  /** The schema resources that the evaluation has entered, outermost first: what a `$dynamicRef` looks through. */
  get scope(): object[] {
    this.#scope ??= [];
    return this.#scope;
  }

  /** Counts work. Throws a BudgetSpentError when there is no more to spend. */
  spend(steps: number): void {
    this.stepsLeft -= steps;
    if (this.stepsLeft < 0) throw new BudgetSpentError('the validation has no steps left');
  }

  /** Begins a schema, whose checks are so many. */
  enter(checks: number): void {
    this.#depth++;
    this.stepsLeft -= checks + 1;
    if (this.stepsLeft < 0 || this.#depth > DEPTH_MAX)
      throw new BudgetSpentError('the validation has no steps left');
  }

  leave(): void {
    this.#depth--;
  }

  /** Judges a member or an item, which stands one step further down. */
  inside(
    step: string | number,
    value: unknown,
    check: (value: unknown, run: ValidationRun, seen: null) => boolean,
  ): boolean {
    if (!this.isExplaining) return check(value, this, null);
    this.#path?.push(step);
    const isGood = check(value, this, null);
    this.#path?.pop();
    return isGood;
  }

  /** Notes a violation; always false. */
  fail(rule: string, message: () => string): false {
    const violations = this.#violations;
    if (this.isExplaining && violations !== null && violations.length < VIOLATIONS_MAX) {
      const pointer = (this.#path ?? []).map((step) => `/${escapeToken(String(step))}`).join('');
      violations.push({ pointer, rule, message: message() });
    }
    return false;
  }

  /** Runs a check whose violations are none of the value's own: those of a branch that need not hold. */
  quietly(check: () => boolean): boolean {
    const wasExplaining = this.isExplaining;
    this.isExplaining = false;
    const isGood = check();
    this.isExplaining = wasExplaining;
    return isGood;
  }
}

/** A member name as a token of a JSON pointer. */
export function escapeToken(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A token of a JSON pointer as a member name. */
export function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
