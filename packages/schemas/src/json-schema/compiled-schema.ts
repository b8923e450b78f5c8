/**
 * A schema, ready to judge values. It is made of closures, not of generated code, so a schema is never more than data: it cannot run anything, and its names
 * cannot break out of anything. Every schema that is evaluated costs a step and every loop costs its length, so a run has an end that the caller sets.
 *
 * Everything in the document is compiled when it is made, referred to or not: a keyword with a value that it cannot have is refused here and not by the
 * first event that meets it.
 */
import { arrayKeywords, unevaluatedItems } from './array-keywords.ts';
import { type ByteCheck, byteCheckOf } from './bytes/byte-check.ts';
import { branchKeywords, referenceChecks } from './branch-keywords.ts';
import { LinearPattern, PatternMemory, PatternRefusal } from './linear-pattern.ts';
import { objectKeywords, unevaluatedMembers } from './object-keywords.ts';
import { refuseSamePlaceCycles } from './same-place-cycles.ts';
import { scalarKeywords } from './scalar-keywords.ts';
import {
  type Dialect,
  invalidSchema,
  type JsonObject,
  keyword,
  SchemaDocument,
  type SchemaPart,
  type SchemaResource,
} from './schema-document.ts';
import { type Check, type SchemaSite, shown } from './schema-node.ts';
import { Seen } from './seen.ts';
import { BudgetSpentError, type SchemaViolation, ValidationRun } from './validation-run.ts';
import { valueKeywords } from './value-keywords.ts';
import { LIMITS } from '@allsource/shared/limits';

/** What came of a validation. */
export type Verdict =
  | { readonly kind: 'good'; readonly stepsLeft: number }
  | { readonly kind: 'bad'; readonly stepsLeft: number }
  /** The steps did not suffice. */
  | { readonly kind: 'undecided' };

/** Where a text stands in bytes. */
export interface TextPlace {
  readonly start: number;
  readonly end: number;
}

const NOTHING_CHECKED: Check = () => true;
const SIMPLE_KEYWORDS = [valueKeywords, scalarKeywords];
const OTHER_KEYWORDS = [objectKeywords, arrayKeywords, branchKeywords];
const SAMPLES = [null, true, 0, '', [], {}];
const SAMPLE_STEPS = 100_000;

export class CompiledSchema {
  readonly document: SchemaDocument;
  readonly #compiler: SchemaCompiler;
  readonly #root: Check;
  readonly #byteCheck: ByteCheck | null;

  /** Compiles a parsed schema. Throws `invalid_schema`. */
  constructor(schema: unknown) {
    this.document = new SchemaDocument(schema);
    refuseSamePlaceCycles(this.document);
    this.#compiler = new SchemaCompiler(this.document);
    for (const part of this.document.parts) this.#compiler.check(part);
    this.#root = this.#compiler.check(this.document.root);
    this.#requireEnd();
    this.#byteCheck = byteCheckOf(this.document);
  }

  get dialect(): Dialect {
    return this.document.dialect;
  }

  /** True when a value surely fits that stands in `bytes` as JSON text; false says nothing: it is to be parsed and judged. */
  fitsBytes(bytes: Uint8Array, { start, end }: TextPlace): boolean {
    return this.#byteCheck?.(bytes, start, end) === true;
  }

  /** Judges a parsed value in at most `steps` steps. */
  judge(value: unknown, steps: number): Verdict {
    return judgeBy(this.#root, value, steps);
  }

  /** Judges a value by a schema of the document alone. */
  judgePart(part: SchemaPart, value: unknown): Verdict {
    return judgeBy(this.#compiler.check(part), value, SAMPLE_STEPS);
  }

  /** True when a pattern of the document matches a text. Throws a BudgetSpentError. */
  matches(source: string, text: string, run: ValidationRun): boolean {
    return this.#compiler.pattern(source, '').matches(text, run);
  }

  /** What is wrong with a value: the first violations, none for a good value, as far as the steps go. */
  explain(value: unknown, steps: number): readonly SchemaViolation[] {
    const run = new ValidationRun({ steps, isExplaining: true });
    try {
      this.#root(value, run, null);
    } catch (error) {
      if (!(error instanceof BudgetSpentError)) throw error;
    }
    return run.violations;
  }

  // References that multiply, and dynamic ones that go round, would use up the steps of every value.
  #requireEnd(): void {
    for (const sample of SAMPLES)
      if (this.judge(sample, SAMPLE_STEPS).kind === 'undecided')
        throw invalidSchema('', `to check ${shown(sample)} alone takes too many steps.`);
  }
}

function judgeBy(check: Check, value: unknown, steps: number): Verdict {
  const run = new ValidationRun({ steps, isExplaining: false });
  try {
    const kind = check(value, run, null) ? 'good' : 'bad';
    return { kind, stepsLeft: run.stepsLeft };
  } catch (error) {
    if (error instanceof BudgetSpentError) return { kind: 'undecided' };
    throw error;
  }
}

class SchemaCompiler {
  readonly #document: SchemaDocument;
  readonly #checks = new Map<object, Check>();
  readonly #patterns = new Map<string, LinearPattern>();
  readonly #patternMemory = new PatternMemory();
  readonly #isDynamic: boolean;
  #patternSize = 0;

  constructor(document: SchemaDocument) {
    this.#document = document;
    this.#isDynamic = document.isDynamic;
  }

  /** The check of a schema. One that is being compiled is referred to and looked up when it is needed. */
  check(part: SchemaPart): Check {
    const { schema } = part;
    if (schema === true) return NOTHING_CHECKED;
    if (schema === false)
      return (_value, run) => run.fail('false', () => 'No value is allowed here');
    const known = this.#checks.get(schema);
    if (known !== undefined) return known;
    const late: { check: Check } = { check: NOTHING_CHECKED };
    this.#checks.set(schema, (value, run, seen) => late.check(value, run, seen));
    late.check = this.#compile(part, schema);
    this.#checks.set(schema, late.check);
    return late.check;
  }

  #compile(part: SchemaPart, schema: JsonObject): Check {
    const site = this.#site(part, schema);
    const isReferenceOnly = site.dialect === 'draft-07' && keyword(schema, '$ref') !== undefined;
    if (isReferenceOnly) return counted(referenceChecks(site));
    const simple = SIMPLE_KEYWORDS.flatMap((compile) => compile(site));
    const checks = [...simple, ...OTHER_KEYWORDS.flatMap((compile) => compile(site))];
    const unevaluated = this.#unevaluated(site, checks);
    // What leads here has paid for a check that ends by itself.
    if (unevaluated.length === 0 && checks.length === simple.length) return all(simple);
    const check = counted([...checks, ...unevaluated]);
    return this.#isDynamic ? inScope(check, part.resource) : check;
  }

  /** The two `unevaluated...` keywords; where there is one, the other checks take note of what they look at. */
  #unevaluated(site: SchemaSite, checks: Check[]): Check[] {
    if (site.dialect === 'draft-07') return [];
    const last = [unevaluatedMembers(site), unevaluatedItems(site)].filter(
      (check) => check !== null,
    );
    if (last.length === 0) return [];
    const whole = all([...checks.splice(0), ...last]);
    return [
      (value, run, seen) => {
        const own = new Seen();
        const isGood = whole(value, run, own);
        if (isGood) seen?.add(own);
        return isGood;
      },
    ];
  }

  #site(part: SchemaPart, schema: JsonObject): SchemaSite {
    const document = this.#document;
    return {
      part,
      schema,
      dialect: document.dialect,
      keyword: (name) => keyword(schema, name),
      within: (...steps) => this.check(document.within(part, steps)),
      reference: (text) => this.check(document.resolve(text, part)),
      dynamicReference: (text) => this.#dynamicReference(text, part),
      pattern: (source, name) => this.pattern(source, `${part.pointer}/${name}`),
      refuse: (name, allowed) =>
        invalidSchema(
          `${part.pointer}/${name}`,
          `'${name}' is ${shown(keyword(schema, name))}; allowed is ${allowed}.`,
        ),
    };
  }

  #dynamicReference(text: string, part: SchemaPart): Check {
    const target = this.#document.resolve(text, part);
    const name = this.#document.dynamicName(text, target);
    const fixed = this.check(target);
    if (name === null) return fixed;
    return (value, run, seen) => {
      for (const resource of run.scope as SchemaResource[]) {
        const found = resource.dynamicAnchors.get(name);
        if (found !== undefined) return this.check(found)(value, run, seen);
      }
      return fixed(value, run, seen);
    };
  }

  /** A pattern, compiled once for the document. */
  pattern(source: unknown, pointer: string): LinearPattern {
    if (typeof source !== 'string') throw invalidSchema(pointer, 'a pattern must be a text.');
    const known = this.#patterns.get(source);
    if (known !== undefined) return known;
    const pattern = compilePattern(source, { pointer, memory: this.#patternMemory });
    this.#patternSize += pattern.size;
    if (this.#patternSize > LIMITS.schemaPatternPartsMax)
      throw invalidSchema(
        pointer,
        `the patterns of the schema have more than ${LIMITS.schemaPatternPartsMax} parts together, with their repetitions written out.`,
      );
    this.#patterns.set(source, pattern);
    return pattern;
  }
}

function compilePattern(
  source: string,
  { pointer, memory }: { readonly pointer: string; readonly memory: PatternMemory },
): LinearPattern {
  try {
    return new LinearPattern(source, memory);
  } catch (error) {
    if (!(error instanceof PatternRefusal)) throw error;
    throw invalidSchema(pointer, `the pattern ${shown(source)} is not taken: ${error.message}.`);
  }
}

/** All checks as one. While explaining, each is made whatever the others say. */
function all(checks: readonly Check[]): Check {
  const [first = NOTHING_CHECKED, second = NOTHING_CHECKED] = checks;
  if (checks.length <= 1) return first;
  if (checks.length === 2)
    return (value, run, seen) => {
      const isFirstGood = first(value, run, seen);
      return (isFirstGood || run.isExplaining) && second(value, run, seen) && isFirstGood;
    };
  return (value, run, seen) => {
    let isGood = true;
    for (const check of checks) {
      if (check(value, run, seen)) continue;
      isGood = false;
      if (!run.isExplaining) return false;
    }
    return isGood;
  };
}

/** All checks of one schema as one, for a step each. */
function counted(checks: readonly Check[]): Check {
  const whole = all(checks);
  return (value, run, seen) => {
    run.enter(checks.length);
    const isGood = whole(value, run, seen);
    run.leave();
    return isGood;
  };
}

/** Keeps the run's scope: the resources that the evaluation has come through. */
function inScope(check: Check, resource: SchemaResource): Check {
  return (value, run, seen) => {
    if (run.scope.at(-1) === resource) return check(value, run, seen);
    run.scope.push(resource);
    const isGood = check(value, run, seen);
    run.scope.pop();
    return isGood;
  };
}
