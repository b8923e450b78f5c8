/** The samples of a metrics page in the Prometheus text format: by metric name, the values whatever their labels. */
export type MetricSamples = ReadonlyMap<string, readonly number[]>;

// A name, labels that may hold anything in quotes, a value, and perhaps a time.
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s+(\S+)/;

/** Reads a metrics page. Lines that are no samples are passed over. */
export function parseMetrics(text: string): MetricSamples {
  const samples = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const [, name, value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const number = Number(value);
    if (!Number.isFinite(number)) continue;
    const known = samples.get(name);
    if (known === undefined) samples.set(name, [number]);
    else known.push(number);
  }
  return samples;
}

/** The smallest value of a metric; null when the page has none. */
export function leastSample(samples: MetricSamples, name: string): number | null {
  const values = samples.get(name);
  return values === undefined || values.length === 0 ? null : Math.min(...values);
}
