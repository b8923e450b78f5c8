/**
 * P13: 1,000 live subscribers on one node, each over a WebSocket, at 50 events/s for five minutes. Every subscriber must see every event, in order, once; a run
 * in which one does not has no figure. One in a hundred is the TypeScript client, with all that it does with an event; the others read the plain socket, for
 * they share the processors with the server. The latency counts from when an append was due to when the subscriber has the event; sender and
 * subscribers are one process, so there is one clock.
 */
import { CoreClient, EventStreamClient } from '@allsource/client';
import { LeanSubscriber } from '../load/lean-subscriber.ts';
import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { summarize } from '../statistics.ts';
import { API_KEY, RunningCore } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { residentBytes } from './inspected-memory.ts';

const EVENTS_PER_SECOND = 50;
/** Of so many subscribers one notes its latencies: all of them would fill the memory. */
const NOTING_ONE_IN = 20;
/** Of so many subscribers one is the TypeScript client. */
const CLIENT_ONE_IN = 100;
const DRAIN_MS = 30_000;

/** One run of `subscribedMs`. */
export async function runSubscribers(bench: Bench): Promise<Measurement[]> {
  const { subscribedMs, subscribers } = bench.options;
  const title = `append to each of ${subscribers.toLocaleString('en')} live subscribers at ${EVENTS_PER_SECOND} events/s, ${subscribedMs / 1000} s`;
  const measurement = measurementOf({ caseName: 'P13', title, unit: 'ms', client: 'WebSocket' });
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
  readonly #notesLatency: boolean;
  #close: () => void = () => undefined;
  #opened: Promise<unknown> = Promise.resolve();
  seen = 0;
  fault: string | null = null;

  private constructor(index: number) {
    this.#notesLatency = index % NOTING_ONE_IN === 0;
  }

  static async open(index: number, url: string): Promise<Subscriber> {
    const subscriber = new Subscriber(index);
    if (index % CLIENT_ONE_IN === 0) subscriber.#openClient(url);
    else subscriber.#openLean(url);
    await subscriber.#opened;
    return subscriber;
  }

  close(): void {
    this.#close();
  }

  #openLean(url: string): void {
    const lean = new LeanSubscriber({
      url,
      apiKey: API_KEY,
      onEvent: (n, dueAt) => this.#note(n, dueAt),
      onFault: (fault) => {
        this.fault ??= fault;
      },
    });
    this.#opened = lean.opened;
    this.#close = () => lean.close();
  }

  #openClient(url: string): void {
    const stream = new EventStreamClient({ url, apiKey: API_KEY });
    this.#close = () => stream.close();
    this.#listen(stream).catch((error: unknown) => {
      this.fault ??= String(error);
    });
  }

  async #listen(stream: EventStreamClient): Promise<void> {
    for await (const item of stream.subscribe()) {
      if (item.kind !== 'event') {
        this.fault ??= item.kind;
        continue;
      }
      const { n, dueAt } = item.event.payload as { readonly n: number; readonly dueAt: number };
      this.#note(n, () => dueAt);
    }
  }

  #note(n: number, dueAt: () => number): void {
    // The first only shows that everybody listens; what was before it does not count.
    if (n < 0) {
      this.fault = null;
      return;
    }
    if (n !== this.seen) this.fault ??= `event ${n} came where ${this.seen} was due`;
    this.seen = n + 1;
    if (this.#notesLatency) this.latenciesMs.push(performance.now() - dueAt());
  }
}

async function fanOut(
  core: RunningCore,
  { subscribedMs, subscribers: count }: { subscribedMs: number; subscribers: number },
): Promise<Outcome> {
  const options = { url: core.url, apiKey: API_KEY };
  const client = new CoreClient(options);
  const residentBefore = residentBytes(core.pid);
  const subscribers: Subscriber[] = [];
  try {
    for (let i = 0; i < count; i += 1) subscribers.push(await Subscriber.open(i, core.url));
    await everybodyListens(client, core.url, count);
    const bytesEach = (residentBytes(core.pid) - residentBefore) / count;
    const sent = await send(client, subscribedMs);
    await settled(subscribers, sent);
    return outcome(subscribers, { sent, bytesEach });
  } finally {
    for (const subscriber of subscribers) subscriber.close();
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
