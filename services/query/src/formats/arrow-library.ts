/** The Arrow library. It is loaded when it is first needed: it would cost every start of the service a noticeable part of its time. */
import type * as ArrowModule from 'apache-arrow';

export type Arrow = typeof ArrowModule;

let loaded: Promise<Arrow> | null = null;

export function loadArrow(): Promise<Arrow> {
  loaded ??= import('apache-arrow');
  return loaded;
}
