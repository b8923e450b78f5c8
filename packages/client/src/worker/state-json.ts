import { InvalidArgumentError } from '../http/allsource-error.ts';

/**
 * The JSON text of a state. Throws `InvalidArgumentError` for what JSON would quietly make something else of (a Map, a Date, NaN, an object of a class), because it
 * would come back different after a restart.
 */
export function jsonOfState(state: unknown): string {
  const text = JSON.stringify(state, function check(this: unknown, key: string, value: unknown) {
    // JSON.stringify has called toJSON on `value` already; what the state really holds is in its owner.
    const held = (this as Record<string, unknown>)[key];
    const fault = faultOf(held);
    if (fault === null) return value;
    throw new InvalidArgumentError(
      `The state holds ${fault}${key === '' ? '' : ` at '${key}'`}, which does not survive JSON. Keep plain objects, lists, texts, numbers, booleans and null in it, or give the worker encode and decode.`,
    );
  });
  return text ?? 'null';
}

function faultOf(held: unknown): string | null {
  const kind = typeof held;
  if (kind === 'number') return Number.isFinite(held) ? null : String(held);
  if (kind === 'bigint' || kind === 'function' || kind === 'symbol') return `a ${kind}`;
  return typeof held === 'object' && held !== null ? faultOfObject(held) : null;
}

function faultOfObject(held: object): string | null {
  if (Array.isArray(held)) return null;
  const prototype: unknown = Object.getPrototypeOf(held);
  if (prototype === null || prototype === Object.prototype) return null;
  // Objects of another realm, such as a sandbox or a test runner, are plain too.
  if (Object.getPrototypeOf(prototype) === null) return null;
  return `an object of the class ${held.constructor.name}`;
}
