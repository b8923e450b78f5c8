import { problem } from '@allsource/shared/errors';
import type { ProjectionRuntime } from '../projection-runtime.ts';

/** Where projections are not carried out: what they compute is not available, and says so. */
export class NoProjectionRuntime implements ProjectionRuntime {
  reconcile(): void {}

  status(): null {
    return null;
  }

  read(): never {
    throw notCarriedOut();
  }

  page(): never {
    throw notCarriedOut();
  }

  count(): never {
    throw notCarriedOut();
  }

  waitFor(): Promise<boolean> {
    return Promise.resolve(false);
  }

  parked(): never {
    throw notCarriedOut();
  }

  skipped(): never {
    throw notCarriedOut();
  }

  retryParked(): Promise<never> {
    return Promise.reject(notCarriedOut());
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function notCarriedOut(): Error {
  return problem('not_available', 'This service does not carry out projections.');
}
