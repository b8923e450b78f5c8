/**
 * P13: 1,000 live subscribers on one node, each over a WebSocket of the TypeScript client, at 50 events/s for five minutes. Every subscriber must see every event,
 * in order, once; a run in which one does not has no figure. The latency counts from when an append was due to when the client hands the event to
 * its reader; sender and subscribers are one process, so there is one clock, and the parsing of 50,000 messages a second is in it.
 */
import { CoreClient, EventStreamClient } from '@allsource/client';
import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { summarize } from '../statistics.ts';
import { API_KEY, RunningCore } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { residentBytes } from './inspected-memory.ts';

const EVENTS_PER_SECOND = 50;
/** Of so many subscribers one notes its latencies: all of them would fill the memory. */
const NOTING_ONE_IN = 20;
const OPENING_AT_ONCE = 50;
const DRAIN_MS = 30_000;

/** One run of `subscribedMs`. */
export async function runSubscribers(bench: Bench): Promise<Measurement[]> {
  const { subscribedMs, subscribers } = bench.options;
  const title = `append to each of ${subscribers.toLocaleString('en')} live subscribers at ${EVENTS_PER_SECOND} events/s, ${subscribedMs / 1000} s`;
  const client = 'TypeScript client, WebSocket';
  const measurement = measurementOf({ caseName: 'P13', title, unit: 'ms', client });
  bench.announce(`P13 ${title}`);
  const core = await RunningCore.start(bench.freshFolder('subscribers'));
  try {
    await bench.add(measurement, () => fanOut(core, bench.options));
  } finally {
    await core.stop();
  }
  return [measurement];
}

/** A subscriber, and what it has seen. */
class Subscriber {
  readonly latenciesMs: number[] = [];
  readonly ended: Promise<void>;
  seen = 0;
  fault: string | null = null;

  constructor(stream: EventStreamClient, notesLatency: boolean) {
    this.ended = this.#listen(stream, notesLatency);
  }

  async #listen(stream: EventStreamClient, notesLatency: boolean): Promise<void> {
    for await (const item of stream.subscribe()) {
      if (item.kind !== 'event') {
        this.fault ??= item.kind;
        continue;
      }
      const { n, dueAt } = item.event.payload as { readonly n: number; readonly dueAt: number };
      // Those before 0 only show that everybody listens.
      if (n < 0) continue;
      if (n !== this.seen) this.fault ??= `event ${n} came where ${this.seen} was due`;
      this.seen = n + 1;
      if (notesLatency) this.latenciesMs.push(performance.now() - dueAt);
    }
  }
}

async function fanOut(
  core: RunningCore,
  { subscribedMs, subscribers: count }: { subscribedMs: number; subscribers: number },
): Promise<Outcome> {
  const options = { url: core.url, apiKey: API_KEY };
  const client = new CoreClient(options);
  const residentBefore = residentBytes(core.pid);
  const streams: EventStreamClient[] = [];
  const subscribers: Subscriber[] = [];
  try {
    for (let i = 0; i < count; i += 1) {
      const stream = new EventStreamClient(options);
      streams.push(stream);
      subscribers.push(new Subscriber(stream, i % NOTING_ONE_IN === 0));
      if (i % OPENING_AT_ONCE === 0) await sleep(20);
    }
    await everybodyListens(client, core.url, count);
    const bytesEach = (residentBytes(core.pid) - residentBefore) / count;
    const sent = await send(client, subscribedMs);
    await settled(subscribers, sent);
    return outcome(subscribers, { sent, bytesEach });
  } finally {
    for (const stream of streams) stream.close();
    await Promise.all(subscribers.map(({ ended }) => ended.catch(() => undefined)));
  }
}

/** Core's own count of its live connections; an append before the last one is there would be missed by it. */
async function everybodyListens(client: CoreClient, url: string, count: number): Promise<void> {
  const until = performance.now() + DRAIN_MS;
  while ((await liveConnections(url)) < count) {
    if (performance.now() > until) throw new Error(`not all of ${count} subscribers could connect`);
    await sleep(50);
  }
  await client.ingestEvent({ eventType: 'fan.out', entityId: 'first', payload: { n: -1 } });
  await sleep(500);
}

async function liveConnections(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^allsource_websocket_connections_active (\d+)/m.exec(metrics)?.[1] ?? 0);
}

/** Appends when one is due, or when the one before is answered: their order is what is checked. Returns how many. */
async function send(client: CoreClient, durationMs: number): Promise<number> {
  const startAt = performance.now();
  const count = Math.round((durationMs / 1000) * EVENTS_PER_SECOND);
  for (let n = 0; n < count; n += 1) {
    const dueAt = startAt + (n * 1000) / EVENTS_PER_SECOND;
    await sleep(Math.max(0, dueAt - performance.now()));
    await client.ingestEvent({
      eventType: 'fan.out',
      entityId: `entity-${n % 100}`,
      payload: { n, dueAt, text: 'x'.repeat(120) },
    });
  }
  return count;
}

async function settled(subscribers: readonly Subscriber[], sent: number): Promise<void> {
  const until = performance.now() + DRAIN_MS;
  while (subscribers.some(({ seen }) => seen < sent) && performance.now() < until) await sleep(20);
}

function outcome(
  subscribers: readonly Subscriber[],
  { sent, bytesEach }: { readonly sent: number; readonly bytesEach: number },
): Outcome {
  const missing = subscribers.filter(({ seen, fault }) => seen !== sent || fault !== null);
  if (missing.length > 0) {
    const [{ seen, fault } = { seen: 0, fault: null }] = missing;
    throw new Error(
      `${missing.length} subscribers did not see all of ${sent} events; one saw ${seen} (${fault ?? 'no fault'}).`,
    );
  }
  const latency = summarize(subscribers.flatMap(({ latenciesMs }) => latenciesMs));
  const deliveries = (sent * subscribers.length).toLocaleString('en');
  const note = `${deliveries} deliveries, none missing, none twice; ${Math.round(bytesEach / 1024)} KiB of core's resident set for each subscriber`;
  return { value: latency.p50Ms, latency, note };
}
