/**
 * Says whether others wait for the processors that this process runs on. Where they do, time that it spends on looking for work is theirs.
 *
 * The sign is how often the system took a processor away from it before it was done. On two processors, a gateway with 16 clients that read without a pause lost one 100 times a second while only its
 * clients ran beside it, and 2,700 times beside 64 clients that appended.
 */
const LOOK_MS = 50;
const TAKEN_A_SECOND_MAX = 1_000;

export class Crowding {
  readonly #takenSoFar: () => number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #taken = 0;
  #isCrowded = false;

  /** `takenSoFar` counts how often a processor was taken away. Default: as the system counts it for this process. */
  constructor(takenSoFar: () => number = () => process.resourceUsage().involuntaryContextSwitches) {
    this.#takenSoFar = takenSoFar;
  }

  /** True when it was crowded lately, at a moment of a clock in milliseconds that never goes back. */
  isCrowded(atMs: number): boolean {
    const elapsedMs = atMs - this.#lookedAtMs;
    if (elapsedMs < LOOK_MS) return this.#isCrowded;
    const taken = this.#takenSoFar();
    this.#isCrowded = ((taken - this.#taken) / elapsedMs) * 1_000 > TAKEN_A_SECOND_MAX;
    this.#taken = taken;
    this.#lookedAtMs = atMs;
    return this.#isCrowded;
  }
}
