import { createHash, type Hash } from 'node:crypto';
import type { Frame } from '@allsource/shared/protocol';
import { NO_DIGEST } from '../log/sealed-format.ts';
import type { InspectedFile } from './log-files.ts';

/** The digests of sealed segments, computed again from their frames: each covers the one before, so the last covers the log up to there. */
export class DigestChain {
  /** The digest of the segment before; null where nothing tells. */
  #before: Buffer | null = NO_DIGEST;
  #hash: Hash | null = null;
  #file: InspectedFile | null = null;

  /** Begins a segment. */
  begin(file: InspectedFile): void {
    this.#file = file;
    this.#hash =
      file.sealed === null ? null : createHash('sha256').update(file.sealed.previousDigest);
  }

  take(frame: Frame): void {
    this.#hash?.update(frame.bytes);
  }

  /** Ends a segment and says what is wrong; null when all is well or, because not every frame was there, nothing can be said. */
  end(isWhole: boolean): string | null {
    const sealed = this.#file?.sealed ?? null;
    const before = this.#before;
    const digest = this.#hash?.digest() ?? null;
    this.#before = sealed?.digest ?? null;
    if (sealed === null || digest === null) return null;
    if (before !== null && !before.equals(sealed.previousDigest))
      return 'it was sealed behind another segment than the one before it';
    return isWhole && !digest.equals(sealed.digest) ? 'its frames do not fit its digest' : null;
  }

  /** The segment was not looked at. */
  forget(): void {
    this.#before = null;
  }
}
