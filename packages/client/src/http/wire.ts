/** Reading what came over the wire: `unknown` in, typed values out, and a sentence when a member is not what it should be. */
import { badAnswer } from './allsource-error.ts';
import { isRecord } from './is-record.ts';

export type WireObject = Record<string, unknown>;

/** Parses JSON text that must be an object. */
export function parseObject(text: string): WireObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw badAnswer('it is not JSON', error);
  }
  if (!isRecord(parsed)) throw badAnswer('it is not a JSON object');
  return parsed;
}

export function textMember(object: WireObject, name: string): string {
  const value = object[name];
  if (typeof value !== 'string') throw badAnswer(`'${name}' is not a text`);
  return value;
}

export function numberMember(object: WireObject, name: string): number {
  const value = object[name];
  if (typeof value !== 'number') throw badAnswer(`'${name}' is not a number`);
  return value;
}

export function optionalText(object: WireObject, name: string): string | null {
  const value = object[name];
  return typeof value === 'string' ? value : null;
}

export function optionalNumber(object: WireObject, name: string): number | null {
  const value = object[name];
  return typeof value === 'number' ? value : null;
}

export function listMember(object: WireObject, name: string): WireObject[] {
  const value = object[name];
  if (!Array.isArray(value)) throw badAnswer(`'${name}' is not a list`);
  return value.map((element: unknown) => {
    if (!isRecord(element)) throw badAnswer(`'${name}' holds something that is not an object`);
    return element;
  });
}

export function objectMember(object: WireObject, name: string): WireObject {
  const value = object[name];
  if (!isRecord(value)) throw badAnswer(`'${name}' is not an object`);
  return value;
}
