import { Gauge, type Registry } from 'prom-client';

/** Adds a gauge that is read at the moment of a scrape. */
export type AddGauge = (name: string, help: string, read: () => number) => void;

/** How gauges are added to a registry. */
export function gaugesOf(registry: Registry): AddGauge {
  return (name, help, read) => {
    const gauge = new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(read());
      },
    });
    registry.registerMetric(gauge);
  };
}
