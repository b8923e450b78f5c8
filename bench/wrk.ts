/** wrk, a client written in C, where it is on the PATH: it leaves more of the machine to the server than a Node client does. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './environment.ts';
import { benchEvent, eventJson } from './event.ts';
import type { AppendJob } from './load/job.ts';

const run = promisify(execFile);
const UNIT_MS = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** The path of wrk; null when it is not here. */
export function findWrk(): string | null {
  return findProgram('wrk');
}

export interface WrkResult {
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs an append job with one thread of wrk. Every request has the same body. Throws when an answer was not a success. */
export async function runWrk(
  program: string,
  job: AppendJob,
  scriptFolder: string,
): Promise<WrkResult> {
  const { clients, durationMs, target } = job;
  const events = Array.from({ length: job.eventsPerCall }, (_, entity) =>
    eventJson(benchEvent({ entity: `wrk-${entity}`, bytes: job.eventBytes })),
  );
  const isSingle = job.eventsPerCall === 1;
  const { requestsPerSecond, ...latency } = await runWrkRequest(program, {
    url: target.url,
    path: isSingle ? '/api/v1/events' : '/api/v1/events/batch',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${target.apiKey}` },
    body: Buffer.from(isSingle ? (events[0] ?? '') : `{"events":[${events.join(',')}]}`),
    clients,
    durationMs,
    scriptFolder,
  });
  return { eventsPerSecond: requestsPerSecond * job.eventsPerCall, ...latency };
}

/** A POST that wrk sends again and again. */
export interface WrkRequest {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly clients: number;
  readonly durationMs: number;
  readonly scriptFolder: string;
}

/** Runs one thread of wrk. Throws when an answer was not a success. */
export async function runWrkRequest(
  program: string,
  request: WrkRequest,
): Promise<{
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}> {
  const { clients, durationMs, scriptFolder, url } = request;
  const script = join(scriptFolder, 'wrk.lua');
  writeFileSync(script, luaScript(request));
  const seconds = Math.max(1, Math.round(durationMs / 1000));
  const flags = ['-t1', `-c${clients}`, `-d${seconds}s`, '--latency', '-s', script];
  const { stdout } = await run(program, [...flags, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk saw failures:\n${stdout}`);
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p50Ms: latencyOf(stdout, '50%'),
    p99Ms: latencyOf(stdout, '99%'),
  };
}

function luaScript({ path, headers, body }: WrkRequest): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers["${name}"] = "${value}"`,
  );
  // Bytes as decimal escapes: a body may hold anything.
  const text = Array.from(body, (byte) => `\\${String(byte).padStart(3, '0')}`).join('');
  return `wrk.method = "POST"
wrk.path = "${path}"
${lines.join('\n')}
wrk.body = "${text}"
`;
}

function latencyOf(text: string, share: string): number {
  const [, value, unit] = new RegExp(`${share}\\s+([\\d.]+)(us|ms|s|m)`).exec(text) ?? [];
  return Number(value) * UNIT_MS[(unit ?? 'ms') as keyof typeof UNIT_MS];
}
