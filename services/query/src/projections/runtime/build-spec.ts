import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import { mayRunInParallel } from '../kinds/compile-projection.ts';
import type { TaskConfig } from './host-protocol.ts';

/** What is computed. */
export type Computed = Pick<ProjectionDefinition, 'type' | 'definition' | 'event_types'>;

/** What one build is: what it computes, and on how many workers. */
export interface BuildSpec {
  readonly build: number;
  readonly workers: number;
  readonly computed: Computed;
}

/** The build that a definition asks for. */
export function specOf(definition: ProjectionDefinition): BuildSpec {
  const { build, type, event_types, definition: document } = definition;
  return {
    build,
    workers: workersOf(definition),
    computed: { type, definition: document, event_types },
  };
}

/** Names a build among those of its projection. */
export function buildId({ build, workers }: Pick<BuildSpec, 'build' | 'workers'>): string {
  return `${build}-${workers}`;
}

export function buildFile(folder: string, spec: BuildSpec, worker: number): string {
  return join(folder, `${buildId(spec)}.${worker}.sqlite`);
}

/** A digest of what is computed. */
export function computesOf({ computed, workers }: BuildSpec): string {
  const text = canonicalJson(Buffer.from(JSON.stringify({ ...computed, workers })));
  return createHash('sha256').update(text).digest('hex');
}

export function taskConfigOf({
  config,
  on_fault: onFault,
  changed_position: changedPosition,
}: ProjectionDefinition): TaskConfig {
  const saveEvents = config.enable_checkpoints ? config.checkpoint_interval : null;
  return { batchEvents: config.batch_size, saveEvents, onFault, changedPosition };
}

function workersOf({ type, definition, config }: ProjectionDefinition): number {
  if (!config.parallel_processing || !mayRunInParallel({ type, definition })) return 1;
  return Math.max(1, Math.min(config.max_concurrency, LIMITS.projectionWorkersMax));
}
