import { gaugesOf } from '@allsource/service-kit/observability';
import { Counter, type Registry } from 'prom-client';
import type { FanOutStatus } from './nats-fan-out.ts';

/** Shows the fan-out in core's metrics; `status` is read at each scrape. */
export function registerFanOutMetrics(registry: Registry, status: () => FanOutStatus): void {
  const registers = [registry];
  const gauge = gaugesOf(registry);
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  gauge('allsource_nats_connected', '1 while NATS is connected.', () =>
    status().isConnected ? 1 : 0,
  );
  gauge(
    'allsource_nats_queue_bytes',
    'Bytes of frames that wait for NATS.',
    () => status().queuedBytes,
  );
  counter(
    'allsource_nats_frames_published_total',
    'Frames published on NATS.',
    () => status().publishedFrames,
  );
  counter(
    'allsource_nats_frames_dropped_total',
    'Frames not published on NATS: away, slow, or too large.',
    () => status().droppedFrames,
  );
  counter(
    'allsource_nats_events_published_total',
    'Events published on subjects of their own.',
    () => status().publishedEvents,
  );
}
