/** The process that makes the load. It runs one job at a time, apart from every server and from the harness, and answers over the channel to its parent. */
import { randomUUID } from 'node:crypto';
import { summarize } from '../statistics.ts';
import { runAtRate } from './at-rate.ts';
import { runClosedLoop } from './closed-loop.ts';
import { hotEntityAppender } from './hot-entity.ts';
import { entityReader, fill, httpAppender, newestReader, pathReader } from './http-clients.ts';
import type { AppendJob, FillJob, LoadJob, LoadResult } from './job.ts';
import { runLive } from './live-latency.ts';
import { fillNats, peerAppender } from './peer-clients.ts';
import { fillPostgres, postgresEntityReader, postgresNewestReader } from './postgres-clients.ts';
import { runReplay } from './replays.ts';
import { ruledAppender } from './ruled-appends.ts';

process.on('message', (job: LoadJob) => {
  void answer(job);
});

async function answer(job: LoadJob): Promise<void> {
  try {
    process.send?.({ result: await run(job) });
  } catch (error) {
    process.send?.({ fault: error instanceof Error ? error.message : String(error) });
  }
}

async function run(job: LoadJob): Promise<LoadResult> {
  switch (job.kind) {
    case 'append':
      return await runAppend(job);
    case 'ruled-append': {
      const clients = await opened(job.clients, () => ruledAppender(job));
      return await runClosedLoop({ ...job, clients });
    }
    case 'hot-entity': {
      const entity = `hot-${randomUUID()}`;
      const clients = await opened(job.clients, () => hotEntityAppender(job, entity));
      return await runClosedLoop({ ...job, clients, eventsPerCall: 1 });
    }
    case 'read': {
      const open = job.target.client === 'postgres' ? postgresEntityReader : entityReader;
      const clients = await opened(job.clients, (index) => open(job, index));
      return await runClosedLoop({ ...job, clients, eventsPerCall: job.eventsPerEntity });
    }
    case 'point-read': {
      const open = job.target.client === 'postgres' ? postgresNewestReader : newestReader;
      const clients = await opened(job.clients, (index) => open(job, index));
      return await runAtRate({ ...job, callsPerSecond: job.readsPerSecond }, clients);
    }
    case 'paced-read': {
      const clients = await opened(job.clients, (index) => pathReader(job, index));
      return await runAtRate({ ...job, callsPerSecond: job.readsPerSecond }, clients);
    }
    case 'paced-append': {
      const single = { ...job, kind: 'append', eventsPerCall: 1 } as const;
      const clients = await opened(job.clients, (index) => httpAppender(single, index));
      return await runAtRate({ ...job, callsPerSecond: job.appendsPerSecond }, clients);
    }
    case 'live':
      return await runLive(job);
    case 'fill':
      return await runFill(job);
    case 'replay':
      return await runReplay(job);
  }
}

async function runAppend(job: AppendJob): Promise<LoadResult> {
  const open = job.target.client === 'http' ? httpAppender : peerAppender;
  const clients = await opened(job.clients, (index) => open(job, index));
  return await runClosedLoop({ ...job, clients });
}

async function runFill(job: FillJob): Promise<LoadResult> {
  const startedAt = performance.now();
  const { client } = job.target;
  await (client === 'nats' ? fillNats : client === 'postgres' ? fillPostgres : fill)(job);
  const seconds = (performance.now() - startedAt) / 1000;
  return { calls: 0, events: job.events, seconds, retries: 0, latency: summarize([]) };
}

function opened<T>(count: number, open: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => open(index)));
}
