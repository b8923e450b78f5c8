/** The three ways in which clients of AllSource are pointed at a store, and the key that the suites of the SDKs use. */
import { afterAll, beforeAll } from '@jest/globals';
import { RunningStore } from '../support/running-store.ts';

/** The SDKs' own suites present this key: it has no prefix that says what it is. */
export const TEST_KEY = 'test-key';

export const ADDRESSINGS = ['the gateway alone', 'core alone', 'the pair'] as const;
export type Addressing = (typeof ADDRESSINGS)[number];

/** Where a client that writes and one that reads are pointed. */
export interface Addresses {
  readonly writes: string;
  readonly reads: string;
}

export function addressesOf(store: RunningStore, addressing: Addressing): Addresses {
  switch (addressing) {
    case 'the gateway alone':
      return { writes: store.url, reads: store.url };
    case 'core alone':
      return { writes: store.coreUrl, reads: store.coreUrl };
    case 'the pair':
      return { writes: store.coreUrl, reads: store.url };
  }
}

/** A store whose admin key is the one of the SDKs' suites. */
export function startConformanceStore(): Promise<RunningStore> {
  return RunningStore.start({ ALLSOURCE_BOOTSTRAP_API_KEY: TEST_KEY });
}

/** Such a store for all tests of a file: started before the first and removed behind the last. */
export function conformanceStore(): () => RunningStore {
  let store: RunningStore;
  beforeAll(async () => {
    store = await startConformanceStore();
  }, 60_000);
  afterAll(() => store?.remove(), 60_000);
  return () => store;
}

let made = 0;

/** A name that no other test of this run uses, as the SDKs' suites make them of the time. */
export function unique(prefix: string): string {
  made += 1;
  return `${prefix}-${process.pid}-${made}`;
}
