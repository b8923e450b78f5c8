/**
 * A function that somebody else wrote, in JavaScript, from JSON to JSON.
 *
 * Promise: the result depends on the source and the arguments alone. Each call begins from one image of the interpreter's memory, taken when the source had been
 * loaded, so nothing of a call is left for the next one, and a call after a restart, on another machine or after a failure is the same call. There is no clock, no randomness and
 * nothing outside; time is counted in steps and not by a clock, so a call that is too long is too long everywhere.
 *
 * Failure: every way to fail is a {@link SandboxFault}; the function is as usable after it as before.
 */
import { LIMITS } from '@allsource/shared/limits';
import type { QuickJSHandle } from 'quickjs-emscripten-core';
import { Interpreter } from './interpreter.ts';
import type { MemoryImage } from './memory-image.ts';
import { SandboxFault, type SourcePlace } from './sandbox-fault.ts';

/** Goes before an expression, and is no part of what its author wrote. */
const EXPRESSION_PREFIX = '(';
const FILE = 'function.js';
const EVALUATION = { type: 'global', strict: true } as const;

const PRELUDE = `Math.random = function random() {
  throw new TypeError('Math.random is not there: the same events have to give the same result');
};`;

/** Around the function: from JSON text to JSON text. What it uses is taken before the function's source can change it. */
const ADAPTER = `(({ parse, stringify }, PromiseClass, ErrorClass) => (call) => (...texts) => {
  const values = [];
  for (let i = 0; i < texts.length; i++) values[i] = parse(texts[i]);
  const result = call(...values);
  if (result instanceof PromiseClass) throw new ErrorClass('it gives a promise; give the value itself');
  const text = stringify(result);
  if (text === undefined) throw new ErrorClass('it gives ' + typeof result + '; return a value of JSON');
  return text;
})(JSON, Promise, TypeError)`;

export interface SandboxedSource {
  /** A function expression, or statements that declare a function of the name. */
  readonly source: string;
  /** What the declared function is called, such as `reduce`. */
  readonly name: string;
}

export class SandboxedFunction {
  readonly #interpreter: Interpreter;
  readonly #loaded: LoadedFunction;
  readonly #image: MemoryImage;

  private constructor(interpreter: Interpreter, loaded: LoadedFunction) {
    this.#interpreter = interpreter;
    this.#loaded = loaded;
    this.#image = interpreter.seal();
    const { size } = this.#image;
    if (size > LIMITS.sandboxImageBytesMax)
      throw new SandboxFault(
        'memory',
        `it holds too much before it is called: with the interpreter ${size} bytes, of which ${LIMITS.sandboxImageBytesMax} are allowed`,
      );
  }

  /** Loads a source; throws a {@link SandboxFault} of kind `source` when it does not give a function, or says why loading it failed. */
  static async load(wanted: SandboxedSource): Promise<SandboxedFunction> {
    const bytes = Buffer.byteLength(wanted.source);
    if (bytes > LIMITS.sandboxSourceBytesMax)
      throw new SandboxFault(
        'source',
        `it has ${bytes} bytes; at most ${LIMITS.sandboxSourceBytesMax} are allowed`,
      );
    const interpreter = await Interpreter.open();
    return new SandboxedFunction(
      interpreter,
      guarded(interpreter, () => loadedFunction(interpreter, wanted)),
    );
  }

  /** Calls it with arguments and gives its result, all as JSON text. */
  call(...argumentTexts: readonly string[]): string {
    const { context } = this.#interpreter;
    this.#image.restore();
    this.#interpreter.setSteps(stepsFor(argumentTexts));
    const result = guarded(this.#interpreter, () => {
      const handles = argumentTexts.map((text) => context.newString(text));
      const { callable, columnsBefore } = this.#loaded;
      const called = context.callFunction(callable, context.undefined, handles);
      if (called.error !== undefined) throw faultOf(this.#interpreter, called.error, columnsBefore);
      return context.getString(called.value);
    });
    if (result.length > LIMITS.sandboxResultLengthMax)
      throw new SandboxFault(
        'result',
        `its result has ${result.length} characters of JSON; at most ${LIMITS.sandboxResultLengthMax} are allowed`,
      );
    return result;
  }
}

function stepsFor(texts: readonly string[]): number {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  return LIMITS.sandboxStepsBase + LIMITS.sandboxStepsPerCharacter * length;
}

interface LoadedFunction {
  readonly callable: QuickJSHandle;
  /** Columns of the first line that are not the author's. */
  readonly columnsBefore: number;
}

function loadedFunction(
  interpreter: Interpreter,
  { source, name }: SandboxedSource,
): LoadedFunction {
  const { context } = interpreter;
  context.unwrapResult(context.evalCode(PRELUDE, 'prelude.js'));
  const adapter = context.unwrapResult(context.evalCode(ADAPTER, 'prelude.js'));
  const expression = expressionOf(interpreter, source);
  const own = expression ?? declaredIn(interpreter, source, name);
  return {
    callable: context.unwrapResult(context.callFunction(adapter, context.undefined, own)),
    columnsBefore: expression === null ? 0 : EXPRESSION_PREFIX.length,
  };
}

/** The function that the source is as an expression; null when it is none. */
function expressionOf(interpreter: Interpreter, source: string): QuickJSHandle | null {
  const { context } = interpreter;
  const expression = context.evalCode(`${EXPRESSION_PREFIX}${source}\n)`, FILE, EVALUATION);
  if (expression.error === undefined)
    return context.typeof(expression.value) === 'function' ? expression.value : null;
  if (isSyntaxError(interpreter, expression.error)) return null;
  throw faultOf(interpreter, expression.error, EXPRESSION_PREFIX.length);
}

/** The function of a name that the source declares in its statements. */
function declaredIn(interpreter: Interpreter, source: string, name: string): QuickJSHandle {
  const { context } = interpreter;
  const statements = context.evalCode(source, FILE, EVALUATION);
  if (statements.error !== undefined) throw sourceFaultOf(interpreter, statements.error);
  const declared = context.evalCode(`typeof ${name} === 'function' ? ${name} : undefined`);
  if (declared.error === undefined && context.typeof(declared.value) === 'function')
    return declared.value;
  throw new SandboxFault(
    'source',
    `it is neither a function, such as (state, event) => state, nor does it declare a function '${name}'`,
  );
}

/** Runs code of the sandbox; what ends it from outside becomes a fault. */
function guarded<T>(interpreter: Interpreter, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SandboxFault) throw error;
    if (!interpreter.hasStepsLeft)
      throw new SandboxFault(
        'steps',
        'it takes more steps than a call may take; it may never come to an end',
      );
    // The stack of the host itself; the one of the interpreter is smaller, so this is rare.
    if (error instanceof RangeError) throw stackFault();
    throw error;
  }
}

function stackFault(): SandboxFault {
  return new SandboxFault('stack', 'its functions call each other too deeply');
}

interface ThrownValue {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

function isSyntaxError(interpreter: Interpreter, error: QuickJSHandle): boolean {
  return thrownValue(interpreter, error).name === 'SyntaxError';
}

function sourceFaultOf(interpreter: Interpreter, error: QuickJSHandle): SandboxFault {
  const thrown = thrownValue(interpreter, error);
  return new SandboxFault('source', messageOf(thrown), placeOf(thrown.stack, 0));
}

function faultOf(
  interpreter: Interpreter,
  error: QuickJSHandle,
  columnsBefore: number,
): SandboxFault {
  const thrown = thrownValue(interpreter, error);
  const place = placeOf(thrown.stack, columnsBefore);
  if (thrown.name === 'InternalError' && thrown.message.includes('stack overflow'))
    return stackFault();
  return new SandboxFault('thrown', messageOf(thrown), place);
}

function messageOf({ name, message }: ThrownValue): string {
  const text = name === '' ? message : `${name}: ${message}`;
  return text.length > LIMITS.sandboxMessageLengthMax
    ? `${text.slice(0, LIMITS.sandboxMessageLengthMax)}...`
    : text;
}

function thrownValue({ context }: Interpreter, error: QuickJSHandle): ThrownValue {
  const dumped: unknown = context.dump(error);
  if (typeof dumped !== 'object' || dumped === null)
    return { name: '', message: `it threw ${String(dumped)}`, stack: '' };
  const members = dumped as Readonly<Record<string, unknown>>;
  const textAt = (name: string): string => (typeof members[name] === 'string' ? members[name] : '');
  return { name: textAt('name'), message: textAt('message'), stack: textAt('stack') };
}

/** The first place of the author's source in a stack. */
function placeOf(stack: string, columnsBefore: number): SourcePlace | null {
  const match = /function\.js:(\d+):(\d+)/.exec(stack);
  if (match === null) return null;
  const line = Number(match[1]);
  const column = Number(match[2]);
  return { line, column: line === 1 ? Math.max(1, column - columnsBefore) : column };
}
