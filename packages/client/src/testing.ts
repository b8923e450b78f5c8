export { InMemoryStore, type InMemoryStoreOptions } from './testing/in-memory-store.ts';
export { type Decided, type Decider, decider, reducer } from './testing/given.ts';
export { ExpectationError } from './testing/expectation-error.ts';
