/**
 * How long an event takes from its append to a subscriber. The appends are due at fixed times, whatever the server does (open loop), and latency is
 * counted from when an append was due, so a server that stalls cannot hide the appends that it held up. Sender and subscriber are one process,
 * so there is one clock.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { benchEvent, eventJson } from '../event.ts';
import { summarize } from '../statistics.ts';
import { append, requireSuccess } from './http-clients.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import type { LiveJob, LoadResult } from './job.ts';
import { shortRest } from './short-rest.ts';

const TICK_MS = 1;
const DRAIN_MS = 2000;
const MARK = '"metadata":{"due":';

/** Runs the job. The latencies are of the events that were due in the measured span. */
export async function runLive(job: LiveJob): Promise<LoadResult> {
  const startAt = performance.now();
  const measureFrom = startAt + job.warmupMs;
  const endAt = measureFrom + job.durationMs;
  const latenciesMs: number[] = [];
  const seen = { events: 0 };
  const subscriber = await subscribe(job, (dueAt) => {
    seen.events += 1;
    if (dueAt >= measureFrom) latenciesMs.push(performance.now() - dueAt);
  });
  const sender = await Sender.open(job);
  const sent = await sendOnTime(sender, { job, startAt, endAt });
  const drainUntil = performance.now() + DRAIN_MS;
  while (seen.events < sent && performance.now() < drainUntil) await sleep(TICK_MS);
  sender.close();
  subscriber.destroy();
  if (seen.events < sent) throw new Error(`The subscriber saw ${seen.events} of ${sent} events.`);
  const calls = latenciesMs.length;
  const seconds = job.durationMs / 1000;
  const note = `at most ${sender.backlogMax} appends waited for a connection`;
  return { calls, events: calls, seconds, retries: 0, latency: summarize(latenciesMs), note };
}

/** Sends each event when it has come due. Returns how many events were sent, all acknowledged. */
async function sendOnTime(
  sender: Sender,
  { job, startAt, endAt }: { job: LiveJob; startAt: number; endAt: number },
): Promise<number> {
  const gapMs = 1000 / job.eventsPerSecond;
  let sent = 0;
  for (let now = startAt; now < endAt; now = performance.now()) {
    for (; startAt + sent * gapMs <= now; sent += 1) sender.send(startAt + sent * gapMs);
    await shortRest();
  }
  await sender.idle();
  return sent;
}

/** Appends over a fixed set of connections; what finds none free waits its turn, and its latency grows. */
class Sender {
  readonly #job: LiveJob;
  readonly #free: HttpConnection[];
  readonly #queue: number[] = [];
  #running = 0;
  #fault: Error | null = null;
  /** The most appends that were due and found no free connection. */
  backlogMax = 0;

  private constructor(job: LiveJob, connections: HttpConnection[]) {
    this.#job = job;
    this.#free = connections;
  }

  static async open(job: LiveJob): Promise<Sender> {
    const opening = Array.from({ length: job.clients }, () => HttpConnection.open(job.target.url));
    return new Sender(job, await Promise.all(opening));
  }

  send(dueAt: number): void {
    this.#queue.push(dueAt);
    this.#pump();
    this.backlogMax = Math.max(this.backlogMax, this.#queue.length);
  }

  async idle(): Promise<void> {
    while (this.#running > 0 || this.#queue.length > 0) await sleep(TICK_MS);
    if (this.#fault !== null) throw this.#fault;
  }

  close(): void {
    for (const connection of this.#free) connection.close();
  }

  #pump(): void {
    for (;;) {
      // In turn: one that is left aside for seconds is closed by the server.
      const connection = this.#free[0];
      const dueAt = this.#queue[0];
      if (connection === undefined || dueAt === undefined) return;
      this.#free.shift();
      this.#queue.shift();
      this.#running += 1;
      void this.#append(connection, dueAt);
    }
  }

  async #append(connection: HttpConnection, dueAt: number): Promise<void> {
    const { target, eventBytes } = this.#job;
    const event = benchEvent({ entity: `live-${Math.floor(dueAt) % 1000}`, bytes: eventBytes });
    const body = eventJson({ ...event, metadata: `{"due":${dueAt}}` });
    try {
      requireSuccess(await connection.send(append(target, '/api/v1/events', body)));
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error));
    }
    this.#free.push(connection);
    this.#running -= 1;
    this.#pump();
  }
}

async function subscribe(job: LiveJob, onEvent: (dueAt: number) => void): Promise<Socket> {
  const { hostname, port } = new URL(job.target.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const path = '/api/v1/events/sse';
  socket.write(requestBytes({ method: 'GET', path, apiKey: job.target.apiKey }));
  await once(socket, 'data');
  let rest = '';
  socket.on('data', (chunk) => {
    const messages = (rest + chunk.toString('latin1')).split('\n\n');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const at = message.indexOf(MARK);
      if (at >= 0) onEvent(Number.parseFloat(message.slice(at + MARK.length)));
    }
  });
  return socket;
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
