/**
 * Pipelines: registered, listed, looked at, reset and removed, below both bases. A pipeline is the tenant's own; to change one needs `manage_pipelines`. What they have come to is
 * read in pipeline-results-routes.ts.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Call, readJsonObject, type Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { API_BASES } from '../gateway/api-path.ts';
import { Members } from '../pipelines/definition/members.ts';
import { type Start, STARTS } from '../pipelines/definition/pipeline-definition.ts';
import { pipelineJson, statsJson } from '../pipelines/pipeline-report.ts';
import type { Pipelines, Registered } from '../pipelines/pipelines.ts';
import { admitPipelineRead, type PipelineReads } from './pipeline-reads.ts';

export interface PipelineRoutesOptions {
  readonly pipelines: Pipelines;
  readonly reads: PipelineReads;
}

interface PipelineRoute extends Omit<Route, 'handle'> {
  readonly handle: (call: Call, options: PipelineRoutesOptions) => Promise<void> | void;
}

const ALL = '/pipelines';
const ONE = '/pipelines/:pipelineId';

const TABLE: readonly PipelineRoute[] = [
  {
    method: 'GET',
    path: `${ALL}/stats`,
    needs: 'read',
    summary: 'What each pipeline of the tenant has done.',
    handle: listStats,
  },
  {
    method: 'POST',
    path: ALL,
    needs: 'manage_pipelines',
    summary: 'Registers a pipeline, or changes the one that has the id.',
    handle: async (call, { pipelines }) => {
      const tenant = call.tenant();
      call.json(200, registeredJson(await pipelines.register(tenant, await bodyOf(call))));
    },
  },
  {
    method: 'GET',
    path: ALL,
    needs: 'read',
    summary: 'The pipelines of the tenant.',
    handle: (call, { pipelines }) => {
      const rows = pipelines
        .ofTenant(call.tenant())
        .map((pipeline) => pipelineJson(pipelines.glance(pipeline)));
      call.json(200, { pipelines: rows, total: rows.length });
    },
  },
  {
    method: 'GET',
    path: `${ONE}/stats`,
    needs: 'read',
    summary: 'What a pipeline has done.',
    handle: async (call, { pipelines, reads }) => {
      const pipeline = pipelines.one(call.tenant(), call.pathParameter('pipelineId'));
      if (call.query.text('consistency') === 'strong' || call.query.text('min_position') !== null)
        await admitPipelineRead(call, pipeline, reads);
      call.json(200, statsJson(pipelines.observe(pipeline)));
    },
  },
  {
    method: 'PUT',
    path: `${ONE}/reset`,
    needs: 'manage_pipelines',
    summary: 'Forgets what a pipeline has come to and begins it anew.',
    handle: reset,
  },
  {
    method: 'GET',
    path: ONE,
    needs: 'read',
    summary: 'A pipeline as it was registered, and what it is doing.',
    handle: (call, { pipelines }) => {
      const pipeline = pipelines.one(call.tenant(), call.pathParameter('pipelineId'));
      call.json(200, pipelineJson(pipelines.glance(pipeline)));
    },
  },
  {
    method: 'PUT',
    path: ONE,
    needs: 'manage_pipelines',
    summary: 'Changes a pipeline; what it computes begins anew where that is another thing.',
    handle: change,
  },
  {
    method: 'DELETE',
    path: ONE,
    needs: 'manage_pipelines',
    summary: 'Removes a pipeline and what it has come to.',
    handle: async (call, { pipelines }) => {
      const tenant = call.tenant();
      const { id } = pipelines.one(tenant, call.pathParameter('pipelineId')).document;
      await pipelines.remove(tenant, id);
      call.json(200, { pipeline_id: id, removed: true });
    },
  },
];

/** The routes of pipelines, below both bases. */
export function pipelineRoutes(options: PipelineRoutesOptions): Route[] {
  return API_BASES.flatMap((base) =>
    TABLE.map(({ handle, path, ...route }): Route => {
      return { ...route, path: base + path, handle: (call) => handle(call, options) };
    }),
  );
}

function bodyOf(call: Call): Promise<Record<string, unknown>> {
  return readJsonObject(call.request, LIMITS.definitionBytesMax);
}

function registeredJson({ document, madeSecrets }: Registered) {
  const { id, name, enabled, generation } = document;
  const isMade = Object.keys(madeSecrets).length > 0;
  const secrets = isMade ? { webhook_secrets: madeSecrets } : {};
  return { pipeline_id: id, name, enabled, generation, ...secrets };
}

async function listStats(call: Call, { pipelines }: PipelineRoutesOptions): Promise<void> {
  const stats: object[] = [];
  for (const pipeline of pipelines.ofTenant(call.tenant())) {
    stats.push(statsJson(pipelines.observe(pipeline)));
    // Each is a look into a file.
    await nextTurn();
  }
  call.json(200, { stats, total: stats.length });
}

async function change(call: Call, { pipelines }: PipelineRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const { id } = pipelines.one(tenant, call.pathParameter('pipelineId')).document;
  const body = await bodyOf(call);
  if (body['id'] !== undefined && body['id'] !== id) {
    throw problem('invalid_body', `'id' is another one than that of the path, ${id}.`, {
      pointer: '/id',
    });
  }
  call.json(200, registeredJson(await pipelines.register(tenant, { ...body, id })));
}

async function reset(call: Call, { pipelines }: PipelineRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const { id } = pipelines.one(tenant, call.pathParameter('pipelineId')).document;
  const start = await startOf(call);
  const { generation } = await pipelines.reset(tenant, id, start);
  call.json(200, { pipeline_id: id, reset: true, generation });
}

/** `start_from` of a body that may be left out. */
async function startOf(call: Call): Promise<Start | null> {
  const { headers } = call.request;
  const isEmpty =
    headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (isEmpty) return null;
  const members = new Members(await bodyOf(call), '');
  const start = members.optionalChoice('start_from', STARTS);
  members.done();
  return start;
}
