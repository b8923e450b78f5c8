import { LIMITS } from '@allsource/shared/limits';
import {
  FAULT_POLICIES,
  type FaultHandling,
  type ProjectionConfig,
} from '@allsource/shared/protocol';
import { type Body, flag, invalid, object, oneOf, whole } from './body-members.ts';

export const CONFIG_DEFAULT: ProjectionConfig = {
  batch_size: 1_000,
  enable_checkpoints: true,
  checkpoint_interval: 30_000,
  parallel_processing: false,
  max_concurrency: 4,
};

export const FAULT_HANDLING_DEFAULT: FaultHandling = { policy: 'park', retries: 5 };

/** Reads `config`; what it leaves out is as in `before`. */
export function parseConfig(body: Body, before: ProjectionConfig): ProjectionConfig {
  const given = object(body, 'config');
  if (given === null) return before;
  requireKnown(given, 'config', Object.keys(CONFIG_DEFAULT));
  const number = (name: string, max: number) => whole(given, `config/${name}`, { min: 1, max });
  return {
    batch_size: number('batch_size', LIMITS.projectionBatchEventsMax) ?? before.batch_size,
    enable_checkpoints: flag(given, 'config/enable_checkpoints') ?? before.enable_checkpoints,
    checkpoint_interval:
      number('checkpoint_interval', LIMITS.checkpointIntervalMax) ?? before.checkpoint_interval,
    parallel_processing: flag(given, 'config/parallel_processing') ?? before.parallel_processing,
    max_concurrency:
      number('max_concurrency', LIMITS.projectionWorkersMax) ?? before.max_concurrency,
  };
}

/** Reads `on_fault`; what it leaves out is as in `before`. */
export function parseFaultHandling(body: Body, before: FaultHandling): FaultHandling {
  const given = object(body, 'on_fault');
  if (given === null) return before;
  requireKnown(given, 'on_fault', ['policy', 'retries']);
  const limits = { min: 0, max: LIMITS.projectionRetriesMax };
  return {
    policy: oneOf(given, 'on_fault/policy', FAULT_POLICIES) ?? before.policy,
    retries: whole(given, 'on_fault/retries', limits) ?? before.retries,
  };
}

/** A setting that is misspelt would silently be the default. */
function requireKnown(given: Body, member: string, allowed: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !allowed.includes(name));
  if (unknown === undefined) return;
  throw invalid(`${member}/${unknown}`, `is not known; allowed are ${allowed.join(', ')}`, {
    allowed,
  });
}
