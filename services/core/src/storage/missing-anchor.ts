import type { LogAnchor } from './log-store.ts';

/** A log was to be opened behind a frame that it does not hold. The log is as good as it was. */
export class MissingAnchor extends Error {
  override readonly name = 'MissingAnchor';

  constructor({ position }: LogAnchor, reason: string) {
    super(`the log has no such frame at position ${position}: ${reason}`);
  }
}
