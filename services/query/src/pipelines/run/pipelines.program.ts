/**
 * The process that carries out the pipelines of all tenants, beside the service and at a lower priority, so that the reads come first and nothing that goes wrong
 * here, not even its end, takes them with it. It does what it is told (host-protocol.ts) and goes on where the files of the pipelines stand, so it can be killed at
 * any point. When the service is gone it ends by itself.
 */
import { deferred, type Deferred, unreachable } from '@allsource/shared/lang';
import { systemClock } from '@allsource/shared/model';
import { SharedFeed } from '../../projections/runtime/shared-feed.ts';
import { SourceUnavailable } from '../operators/operator.ts';
import { OutboundPolicy } from '../outbound/outbound-policy.ts';
import { CoreAppender } from './core-appender.ts';
import { HostedPipeline } from './hosted-pipeline.ts';
import type {
  HostCommand,
  HostJob,
  HostReport,
  LookUpSource,
  PipelineJob,
} from './host-protocol.ts';

/** How often the service is told what the pipelines are doing. */
const STATE_MS = 200;
/** Changes of rows that come close together are told once. */
const SAVED_MS = 10;
const ASK_TIMEOUT_MS = 10_000;
/** How long is waited before one that cannot be opened is opened again. */
const FAILED_MS = 5_000;
/** What is wrong is in the states, which the service shows and logs. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

process.once('disconnect', () => process.exit(0));

const pipelines = new Map<string, HostedPipeline>();
/** Those that could not be opened and are tried again. */
const retries = new Map<string, NodeJS.Timeout>();
/** Those that were told to stop. */
const ended = new Set<string>();
const told = new Map<string, string>();
const saved = new Set<string>();
const questions = new Map<number, Deferred<string | null>>();
let asked = 0;

const job = await new Promise<HostJob>((resolve) => {
  process.once('message', (command: HostCommand) => {
    if (command.kind === 'begin') resolve(command.job);
  });
});
const appender = new CoreAppender(job.core);
const policy = new OutboundPolicy(job.outbound);
const feed = new SharedFeed();

process.on('message', (command: HostCommand) => {
  void obey(command).catch((error: unknown) => {
    process.stderr.write(`the process of the pipelines: ${String(error)}\n`);
    process.exit(1);
  });
});
setInterval(reportStates, STATE_MS);
report({ kind: 'ready' });

async function obey(command: HostCommand): Promise<void> {
  switch (command.kind) {
    case 'run':
      return run(command.job);
    case 'stop':
      ended.add(command.key);
      await stop(command.key);
      return report({ kind: 'stopped', request: command.request });
    case 'wait':
      return await wait(command);
    case 'revive': {
      const count = pipelines.get(command.key)?.revive(command.output) ?? 0;
      return report({ kind: 'revived', request: command.request, count });
    }
    case 'found':
      return answer(command);
    case 'end':
      return await end();
    case 'begin':
      return unreachable(command as never);
    default:
      unreachable(command);
  }
}

function run(one: PipelineJob): void {
  const { key } = one;
  ended.delete(key);
  try {
    const pipeline = new HostedPipeline({
      job: one,
      core: job.core,
      feed,
      appender,
      policy,
      clock: systemClock,
      random: Math.random,
      logger: SILENT,
      ask: (source, wanted) => ask({ tenant: one.tenant, source, key: wanted }),
      onSaved: () => noteSaved(key),
      onDamaged: () => void again(one),
    });
    pipelines.set(key, pipeline);
    pipeline.start();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report({ kind: 'failed', key, message });
    retries.set(
      key,
      setTimeout(() => run(one), FAILED_MS),
    );
  }
}

/** Closes a pipeline whose file is damaged and opens it again, which makes the file anew. */
async function again(one: PipelineJob): Promise<void> {
  const pipeline = pipelines.get(one.key);
  if (pipeline === undefined) return;
  await stop(one.key);
  // It may have been told otherwise meanwhile.
  if (!ended.has(one.key) && !pipelines.has(one.key)) run(one);
}

async function stop(key: string): Promise<void> {
  clearTimeout(retries.get(key));
  retries.delete(key);
  const pipeline = pipelines.get(key);
  pipelines.delete(key);
  told.delete(key);
  await pipeline?.close();
}

async function wait(wish: Extract<HostCommand, { kind: 'wait' }>): Promise<void> {
  const { key, position, timeoutMs, request } = wish;
  const isReached = (await pipelines.get(key)?.waitFor(position, timeoutMs)) === true;
  reportState(key);
  report({ kind: 'reached', request, isReached });
}

async function end(): Promise<void> {
  await Promise.all([...pipelines.keys()].map(stop));
  appender.close();
  process.exit(0);
}

async function ask(question: {
  readonly tenant: string;
  readonly source: LookUpSource;
  readonly key: string;
}): Promise<string | null> {
  asked += 1;
  const request = asked;
  const answered = deferred<string | null>();
  questions.set(request, answered);
  const late = () =>
    answered.reject(new SourceUnavailable("The source of 'enrich' did not answer."));
  const timer = setTimeout(late, ASK_TIMEOUT_MS);
  report({ kind: 'look_up', request, ...question });
  try {
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    questions.delete(request);
  }
}

function answer({ request, text, fault }: Extract<HostCommand, { kind: 'found' }>): void {
  const question = questions.get(request);
  if (fault === null) question?.resolve(text);
  else question?.reject(new SourceUnavailable(fault));
}

function noteSaved(key: string): void {
  if (saved.size === 0) setTimeout(reportSaved, SAVED_MS);
  saved.add(key);
}

function reportSaved(): void {
  for (const key of saved) report({ kind: 'saved', key });
  saved.clear();
}

function reportStates(): void {
  for (const key of pipelines.keys()) reportState(key);
}

function reportState(key: string): void {
  const state = pipelines.get(key)?.state;
  if (state === undefined) return;
  const text = JSON.stringify(state);
  if (told.get(key) === text) return;
  told.set(key, text);
  report({ kind: 'state', key, state });
}

function report(message: HostReport): void {
  // Who cannot be told has gone.
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) process.exit(0);
  });
}
