import { type ConditionalAppender, retrying } from './backoff.ts';
import type { LoopClient } from './closed-loop.ts';
import { httpConditional } from './http-clients.ts';
import type { HotEntityJob } from './job.ts';
import {
  emmettConditional,
  messageDbConditional,
  postgresConditional,
} from './postgres-clients.ts';

/** A client that appends to the one entity that all share, and tries again on a conflict. */
export async function hotEntityAppender(job: HotEntityJob, entity: string): Promise<LoopClient> {
  return retrying(await conditionalAppender(job, entity));
}

async function conditionalAppender(
  job: HotEntityJob,
  entity: string,
): Promise<ConditionalAppender> {
  switch (job.target.client) {
    case 'http':
      return await httpConditional(job, entity);
    case 'postgres':
      return await postgresConditional(job, entity);
    case 'message-db':
      return await messageDbConditional(job, entity);
    case 'emmett-postgresql':
      return await emmettConditional(job, entity);
    case 'redis':
    case 'nats':
    case 'sqlite':
      throw new Error(`Nobody wrote a client of ${job.target.client} that expects versions.`);
  }
}
