import type { Frame } from '@allsource/shared/protocol';

/** Frames that follow each other in the log and were read together; at least one. */
export type Stretch = readonly Frame[];

/** The frames of stretches, one by one. */
export async function* framesOf(stretches: AsyncIterable<Stretch>): AsyncGenerator<Frame> {
  for await (const stretch of stretches) yield* stretch;
}

/** The first frame of stretches, and nothing read behind its stretch; null where there is none. */
export async function firstFrameOf(stretches: AsyncIterable<Stretch>): Promise<Frame | null> {
  for await (const stretch of stretches) return stretch[0] ?? null;
  return null;
}
