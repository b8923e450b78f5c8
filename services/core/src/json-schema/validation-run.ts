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

export class ValidationRun {
  /** Steps left. A step is about 10 ns of work. */
  stepsLeft: number;
  #depth = 0;
  #violations: SchemaViolation[] | null;
  readonly #path: (string | number)[] = [];
  /** The schema resources that the evaluation has entered, outermost first: what a `$dynamicRef` looks through. */
  readonly scope: object[] = [];

  constructor(options: { readonly steps: number; readonly isExplaining: boolean }) {
    this.stepsLeft = options.steps;
    this.#violations = options.isExplaining ? [] : null;
  }

  get isExplaining(): boolean {
    return this.#violations !== null;
  }

  get violations(): readonly SchemaViolation[] {
    return this.#violations ?? [];
  }

  /** Counts work. Throws a BudgetSpentError when there is no more to spend. */
  spend(steps: number): void {
    this.stepsLeft -= steps;
    if (this.stepsLeft < 0) throw new BudgetSpentError('the validation has no steps left');
  }

  /** Begins a schema: one step. */
  enter(): void {
    this.#depth++;
    if (--this.stepsLeft < 0 || this.#depth > DEPTH_MAX)
      throw new BudgetSpentError('the validation has no steps left');
  }

  leave(): void {
    this.#depth--;
  }

  /** Goes down into a member or an item. Only while explaining. */
  descend(step: string | number): void {
    this.#path.push(step);
  }

  ascend(): void {
    this.#path.pop();
  }

  /** Notes a violation; always false. */
  fail(rule: string, message: () => string): false {
    if (this.#violations !== null && this.#violations.length < VIOLATIONS_MAX) {
      const pointer = this.#path.map((step) => `/${escapeToken(String(step))}`).join('');
      this.#violations.push({ pointer, rule, message: message() });
    }
    return false;
  }

  /** Runs a check whose violations are none of the value's own: those of a branch that need not hold. */
  quietly(check: () => boolean): boolean {
    const violations = this.#violations;
    this.#violations = null;
    const isGood = check();
    this.#violations = violations;
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
