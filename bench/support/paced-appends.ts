import { API_KEY } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { RenumberedBatch } from './batch-bodies.ts';

const ENTITIES = 100_000;
const HEADERS = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' };

export interface PacedAppends {
  /** The address of core. */
  readonly core: string;
  readonly eventsPerSecond: number;
  readonly batchEvents: number;
  /** By the clock of the process. */
  readonly endAt: number;
  /** Told with each answer how many events are acknowledged so far. */
  readonly onAcknowledged?: (events: number) => unknown;
}

/** Sends batches when they are due, whatever became of those before. Returns how many events were sent, when all are answered. */
export async function appendAtRate(appends: PacedAppends): Promise<number> {
  const { batchEvents, eventsPerSecond, endAt, onAcknowledged } = appends;
  const everyMs = (batchEvents / eventsPerSecond) * 1000;
  const batch = new RenumberedBatch(batchEvents);
  const running: Promise<unknown>[] = [];
  let sent = 0;
  let answered = 0;
  for (let due = performance.now(); due < endAt; due += everyMs) {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    batch.renumber((sent * batchEvents) % ENTITIES);
    sent += 1;
    const body = Buffer.from(batch.body);
    running.push(
      append(appends.core, body).then(() => {
        answered += 1;
        return onAcknowledged?.(answered * batchEvents);
      }),
    );
  }
  await Promise.all(running);
  return sent * batchEvents;
}

async function append(core: string, body: Buffer): Promise<void> {
  const url = `${core}/api/v1/events/batch`;
  const response = await fetch(url, { method: 'POST', headers: HEADERS, body });
  await response.arrayBuffer();
}
