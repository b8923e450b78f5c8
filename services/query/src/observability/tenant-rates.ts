const WINDOW_S = 10;
const TENANTS_MAX = 10_000;

interface Seconds {
  /** The second of the newest count. */
  latest: number;
  /** Counts of the last seconds, by second modulo the window. */
  readonly counts: Float64Array;
}

/** How much happened for each tenant over the last ten seconds. Time is given by the caller, in milliseconds since the epoch. */
export class TenantRates {
  readonly #byTenant = new Map<string, Seconds>();

  /** Counts something that happened at `atMs`. What is older than the window leaves no trace. */
  add(tenant: string, count: number, atMs: number): void {
    const second = Math.floor(atMs / 1000);
    const seconds = this.#secondsOf(tenant, second);
    if (second <= seconds.latest - WINDOW_S) return;
    moveTo(seconds, second);
    const slot = second % WINDOW_S;
    seconds.counts[slot] = (seconds.counts[slot] ?? 0) + count;
  }

  /** The mean over the window that ends at `nowMs`, per second. */
  perSecond(tenant: string, nowMs: number): number {
    const seconds = this.#byTenant.get(tenant);
    if (seconds === undefined) return 0;
    moveTo(seconds, Math.floor(nowMs / 1000));
    return seconds.counts.reduce((sum, count) => sum + count, 0) / WINDOW_S;
  }

  #secondsOf(tenant: string, second: number): Seconds {
    const known = this.#byTenant.get(tenant);
    if (known !== undefined) return known;
    if (this.#byTenant.size >= TENANTS_MAX) this.#forgetIdle(second);
    const fresh = { latest: second, counts: new Float64Array(WINDOW_S) };
    this.#byTenant.set(tenant, fresh);
    return fresh;
  }

  #forgetIdle(second: number): void {
    for (const [tenant, { latest }] of this.#byTenant)
      if (latest <= second - WINDOW_S) this.#byTenant.delete(tenant);
  }
}

/** Clears the slots between the newest second and `second`. */
function moveTo(seconds: Seconds, second: number): void {
  const steps = Math.min(second - seconds.latest, WINDOW_S);
  for (let step = 0; step < steps; step++) seconds.counts[(second - step) % WINDOW_S] = 0;
  if (steps > 0) seconds.latest = second;
}
