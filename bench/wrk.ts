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
  const script = join(scriptFolder, 'wrk.lua');
  writeFileSync(script, luaScript(job));
  const seconds = Math.max(1, Math.round(job.durationMs / 1000));
  const flags = ['-t1', `-c${job.clients}`, `-d${seconds}s`, '--latency', '-s', script];
  const { stdout } = await run(program, [...flags, job.target.url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk saw failures:\n${stdout}`);
  return {
    eventsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) * job.eventsPerCall,
    p50Ms: latencyOf(stdout, '50%'),
    p99Ms: latencyOf(stdout, '99%'),
  };
}

function luaScript(job: AppendJob): string {
  const events = Array.from({ length: job.eventsPerCall }, (_, entity) =>
    eventJson(benchEvent({ entity: `wrk-${entity}`, bytes: job.eventBytes })),
  );
  const isSingle = job.eventsPerCall === 1;
  const path = isSingle ? '/api/v1/events' : '/api/v1/events/batch';
  const body = isSingle ? events[0] : `{"events":[${events.join(',')}]}`;
  return `wrk.method = "POST"
wrk.path = "${path}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer ${job.target.apiKey}"
wrk.body = [==[${body}]==]
`;
}

function latencyOf(text: string, share: string): number {
  const [, value, unit] = new RegExp(`${share}\\s+([\\d.]+)(us|ms|s|m)`).exec(text) ?? [];
  return Number(value) * UNIT_MS[(unit ?? 'ms') as keyof typeof UNIT_MS];
}
