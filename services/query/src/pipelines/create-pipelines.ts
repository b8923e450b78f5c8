import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import { systemClock } from '@allsource/shared/model';
import type { QueryConfig } from '../config/query-config.ts';
import type { DefinitionWriter } from '../definitions/definition-writer.ts';
import type { ReadStores } from '../read-stores.ts';
import { PipelineResults } from './pipeline-results.ts';
import { PipelineRuntime } from './pipeline-runtime.ts';
import { Pipelines } from './pipelines.ts';
import type { LookUpSource } from './run/host-protocol.ts';

export interface PipelinesParts {
  readonly config: QueryConfig;
  readonly logger: Logger;
  readonly stores: ReadStores;
  readonly writer: DefinitionWriter;
  /** Looks up the state of a key of a projection; null where there is none. */
  readonly projectionState: (tenant: string, name: string, key: string) => Promise<string | null>;
}

/** The pipelines of the service, and how they are closed. */
export interface KeptPipelines {
  readonly pipelines: Pipelines;
  readonly runtime: PipelineRuntime;
  readonly results: PipelineResults;
  close(): Promise<void>;
}

/** Puts the pipelines together. They are carried out as soon as the definitions are known. */
export function createPipelines(parts: PipelinesParts): KeptPipelines {
  const { config, logger, stores, writer, projectionState } = parts;
  const outbound = { hosts: config.pipelineHttpHosts, privateHosts: config.pipelinePrivateHosts };
  const results = new PipelineResults();
  const runtime = new PipelineRuntime({
    folder: join(config.folder, 'pipelines'),
    outbound,
    logger,
    lookUp: (tenant, source, key) => lookUp(tenant, source, key),
    onRemoving: (file) => results.forget(file),
  });
  const pipelines = new Pipelines({
    directory: stores.definitions,
    isSettled: () => stores.settledDefinitions.isSettled,
    writer,
    follower: stores.accessFollower,
    runtime,
    results,
    outbound,
    clock: systemClock,
    logger,
  });
  const lookUp = async (tenant: string, { kind, name }: LookUpSource, key: string) => {
    if (kind === 'projection') return await projectionState(tenant, name, key);
    return results.row(pipelines.fileOf(pipelines.one(tenant, name)), key)?.value ?? null;
  };
  stores.settledDefinitions.onSettled(() => {
    const { internalToken } = stores;
    if (internalToken !== null) runtime.start({ coreUrl: config.coreUrl, internalToken });
    pipelines.carryOut();
  });
  const close = async () => {
    await runtime.close();
    results.close();
  };
  return { pipelines, runtime, results, close };
}
