/** Repeatable random numbers (mulberry32), so that a failing run can be run again from its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}

/** The seed of a property test: SEED of the environment, or another one each day. It is printed so that a failure can be repeated. */
export function propertySeed(test: string): number {
  const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
  process.stdout.write(`${test}: seed ${seed} (repeat with SEED=${seed})\n`);
  return seed;
}
