/**
 * What pipelines have come to: the rows of a table, page by page, one by one, or since a position, and followed live; the outputs that could not be written or
 * delivered, and the events that could not be worked with.
 */
import type { Call, Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { API_BASES } from '../gateway/api-path.ts';
import type { DeadLetter, PipelineResults, ResultRow } from '../pipelines/pipeline-results.ts';
import type { ForcedPipeline } from '../pipelines/pipeline-runtime.ts';
import type { Pipelines } from '../pipelines/pipelines.ts';
import { admitPipelineRead, type PipelineReads } from './pipeline-reads.ts';
import { rowJson } from './pipeline-row-json.ts';
import { followResults, type FollowingOptions } from './pipeline-results-stream.ts';

export interface PipelineResultsRoutesOptions extends FollowingOptions {
  readonly pipelines: Pipelines;
  readonly results: PipelineResults;
  readonly reads: PipelineReads;
}

interface ResultsRoute extends Omit<Route, 'handle'> {
  readonly handle: (call: Call, options: PipelineResultsRoutesOptions) => Promise<void> | void;
}

const ONE = '/pipelines/:pipelineId';
const PAGE_DEFAULT = 100;

const TABLE: readonly ResultsRoute[] = [
  {
    method: 'GET',
    path: `${ONE}/results`,
    needs: 'read',
    summary: 'The rows of a pipeline, by key or since a position; as server-sent events live.',
    handle: readResults,
  },
  {
    method: 'GET',
    path: `${ONE}/dead-letters`,
    needs: 'read',
    summary: 'Outputs of a pipeline that could not be written or delivered.',
    handle: listDeadLetters,
  },
  {
    method: 'POST',
    path: `${ONE}/dead-letters/retry`,
    needs: 'manage_pipelines',
    summary: 'Tries dead letters of a pipeline again, all or one.',
    handle: retryDeadLetters,
  },
  {
    method: 'GET',
    path: `${ONE}/failures`,
    needs: 'read',
    summary: 'Events that a pipeline could not work with, the newest first.',
    handle: listFailures,
  },
];

/** The routes of what pipelines have come to, below both bases. */
export function pipelineResultsRoutes(options: PipelineResultsRoutesOptions): Route[] {
  return API_BASES.flatMap((base) =>
    TABLE.map(({ handle, path, ...route }): Route => {
      return { ...route, path: base + path, handle: (call) => handle(call, options) };
    }),
  );
}

function pipelineOf(call: Call, { pipelines }: PipelineResultsRoutesOptions): ForcedPipeline {
  return pipelines.one(call.tenant(), call.pathParameter('pipelineId'));
}

async function readResults(call: Call, options: PipelineResultsRoutesOptions): Promise<void> {
  const pipeline = pipelineOf(call, options);
  if (/\btext\/event-stream\b/.test(call.request.headers.accept ?? ''))
    return await followResults(call, pipeline, options);
  const key = call.query.text('key');
  const since = call.query.integer('since', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const limit =
    call.query.integer('limit', { min: 1, max: LIMITS.pipelineResultsPageMax }) ?? PAGE_DEFAULT;
  const position = await admitPipelineRead(call, pipeline, options.reads);
  const page = { pipeline, position, limit };
  if (key !== null) answerOne(call, { ...page, key }, options);
  else if (since === null) answerPage(call, page, options);
  else answerChanges(call, { ...page, since }, options);
}

interface Page {
  readonly pipeline: ForcedPipeline;
  readonly position: number;
  readonly limit: number;
}

function answerOne(
  call: Call,
  { pipeline, position, key }: Page & { readonly key: string },
  { pipelines, results }: PipelineResultsRoutesOptions,
): void {
  const row = results.row(pipelines.fileOf(pipeline), key);
  if (row === null) throw problem('not_found', `The pipeline has no row ${quoted(key)}.`);
  call.json(200, `{${head(pipeline, position)},"result":${rowJson(row)}}`);
}

function answerPage(
  call: Call,
  { pipeline, position, limit }: Page,
  { pipelines, results }: PipelineResultsRoutesOptions,
): void {
  const file = pipelines.fileOf(pipeline);
  const prefix = call.query.text('key_prefix') ?? '';
  const rows = results.rows(file, { prefix, after: call.query.text('after'), limit: limit + 1 });
  const shown = rows.slice(0, limit);
  const total = results.progress(file)?.rowCount ?? 0;
  // A page may end early because its rows are large, so only an empty one is surely the last.
  const hasMore = rows.length > limit || isCut(rows, limit);
  const next = hasMore ? JSON.stringify(shown.at(-1)?.key ?? null) : 'null';
  call.json(
    200,
    `{${head(pipeline, position)},"results":[${shown.map(rowJson).join(',')}],` +
      `"count":${shown.length},"total":${total},"has_more":${hasMore},"next_after":${next}}`,
  );
}

function answerChanges(
  call: Call,
  { pipeline, position, limit, since }: Page & { readonly since: number },
  { pipelines, results }: PipelineResultsRoutesOptions,
): void {
  // Behind the position, whatever the key: no key is greater than this one.
  const mark = { position: since, key: call.query.text('after') ?? '\u{10ffff}' };
  const rows = results.changes(pipelines.fileOf(pipeline), mark, limit);
  const hasMore = rows.length === limit || isCut(rows, limit);
  const last = rows.at(-1);
  const next = hasMore && last !== undefined ? last : null;
  call.json(
    200,
    `{${head(pipeline, position)},"results":[${rows.map(rowJson).join(',')}],"count":${rows.length},` +
      `"has_more":${hasMore},"next_since":${next?.position ?? 'null'},"next_after":${JSON.stringify(next?.key ?? null)}}`,
  );
}

/** True for rows that may have ended before their limit because of their size. */
function isCut(rows: readonly ResultRow[], limit: number): boolean {
  const length = rows.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  return rows.length <= limit && length >= LIMITS.pipelineResultsLengthMax;
}

function head({ document }: ForcedPipeline, position: number): string {
  const { id, generation } = document;
  return `"pipeline_id":"${id}","position":${position},"generation":${generation}`;
}

function listDeadLetters(call: Call, options: PipelineResultsRoutesOptions): void {
  const pipeline = pipelineOf(call, options);
  const { results, pipelines } = options;
  const file = pipelines.fileOf(pipeline);
  const limit = call.query.integer('limit', { min: 1, max: 1_000 }) ?? PAGE_DEFAULT;
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const letters = results.deadLetters(file, { offset, limit });
  const { dead } = results.outboxCounts(file);
  const rows = letters.map(letterJson).join(',');
  call.json(
    200,
    `{"pipeline_id":"${pipeline.document.id}","dead_letters":[${rows}],"count":${letters.length},"total":${dead}}`,
  );
}

function letterJson({ position, ordinal, kind, route, body, attempts, error }: DeadLetter): string {
  const facts = { id: `${position}-${ordinal}`, position, kind, route, attempts, error };
  return `${JSON.stringify(facts).slice(0, -1)},"body":${body}}`;
}

async function retryDeadLetters(call: Call, options: PipelineResultsRoutesOptions): Promise<void> {
  const { tenant, document } = pipelineOf(call, options);
  const output = letterAsked(call);
  const count = await options.reads.runtime.revive(tenant, document.id, output);
  if (count === null) {
    throw problem(
      'starting',
      'The pipeline is not carried out at the moment, so nothing can be tried again. Enable it, or try again shortly.',
    );
  }
  call.json(200, { pipeline_id: document.id, retried: count });
}

function letterAsked(call: Call): { readonly position: number; readonly ordinal: number } | null {
  const id = call.query.text('id');
  if (id === null) return null;
  const match = /^(\d{1,15})-(\d{1,9})$/.exec(id);
  if (match !== null) return { position: Number(match[1]), ordinal: Number(match[2]) };
  throw problem(
    'invalid_parameter',
    `'id' is ${quoted(id)}; allowed is the id of a dead letter, such as 1042-0.`,
    { parameter: 'id' },
  );
}

function listFailures(call: Call, options: PipelineResultsRoutesOptions): void {
  const pipeline = pipelineOf(call, options);
  const { results, pipelines } = options;
  const file = pipelines.fileOf(pipeline);
  const limit =
    call.query.integer('limit', { min: 1, max: LIMITS.pipelineFaultsMax }) ?? PAGE_DEFAULT;
  const failures = results.failedEvents(file, limit);
  call.json(200, {
    pipeline_id: pipeline.document.id,
    failures: failures.map(({ position, eventId, reason }) => ({
      position,
      event_id: eventId,
      reason,
    })),
    count: failures.length,
    total: results.progress(file)?.failed ?? 0,
  });
}
