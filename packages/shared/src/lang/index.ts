export { AssertionError, assert, must, unreachable } from './assert.ts';
export type { Brand } from './brand.ts';
export type { Deferred } from './deferred.ts';
export { deferred } from './deferred.ts';
export { atOnce, type Steps } from './steps.ts';
