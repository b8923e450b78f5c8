import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import type { LogFollower } from '@allsource/service-kit/feed';
import type { Call } from '@allsource/service-kit/http';
import type { ForcedPipeline, PipelineRuntime } from '../pipelines/pipeline-runtime.ts';
import {
  type ReadWish,
  readWish,
  requireInLog,
  stampPosition,
  wayAround,
} from '../reads/read-gate.ts';

/** What reads of pipelines wait with. */
export interface PipelineReads {
  readonly runtime: PipelineRuntime;
  readonly follower: Pick<LogFollower, 'coreHead'>;
  /** How long a read waits for a pipeline. Setting ALLSOURCE_READ_WAIT_MS. */
  readonly waitMs: number;
  /** The position that the file of a pipeline is true at. */
  readonly savedPosition: (pipeline: ForcedPipeline) => number;
}

/**
 * Waits until a pipeline has worked on everything that was acknowledged before the read, or what the caller asks for less. One that is disabled is read as it stands. Returns the
 * position that the answer is true at, and says it in the header. Throws `read_behind`, and `position_beyond_head`.
 */
export async function admitPipelineRead(
  call: Call,
  pipeline: ForcedPipeline,
  reads: PipelineReads,
): Promise<Position> {
  const wish = readWish(call.query);
  const { isEventual, minimum } = wish;
  const isWaited = pipeline.document.enabled && !(isEventual && minimum === null);
  const wanted = isWaited ? (minimum ?? (await reads.follower.coreHead())) : position(0);
  const saved = reads.savedPosition(pipeline);
  if (minimum !== null && saved < wanted) await requireInLog(minimum, reads.follower);
  if (saved < wanted && !(await reads.runtime.waitFor(pipeline, wanted, reads.waitMs)))
    throw behind(pipeline, { wanted, wish }, reads);
  return stampPosition(call, position(Math.max(wanted, reads.savedPosition(pipeline))));
}

function behind(
  pipeline: ForcedPipeline,
  { wanted, wish }: { readonly wanted: Position; readonly wish: ReadWish },
  reads: PipelineReads,
): Error {
  const { tenant, document } = pipeline;
  const state = reads.runtime.state(tenant, document.id);
  const at = Math.max(state?.position ?? 0, reads.savedPosition(pipeline));
  const why = reads.runtime.failure(tenant, document.id) ?? state?.waiting ?? null;
  return problem(
    'read_behind',
    `The pipeline is at position ${at} and did not reach ${wanted} within ${reads.waitMs} ms${why === null ? '' : ` (${why})`}. ` +
      `Try again, or ${wayAround(wish)}.`,
    { applied_position: at, wanted_position: wanted, lag: wanted - at, waited_ms: reads.waitMs },
  );
}
