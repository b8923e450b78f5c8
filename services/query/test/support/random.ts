export { SeededRandom as Random } from '@allsource/testkit';

/** The seed of a property test: SEED of the environment, or another one each day. It is printed so that a failure can be repeated. */
export function propertySeed(test: string): number {
  const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
  process.stdout.write(`${test}: seed ${seed} (repeat with SEED=${seed})\n`);
  return seed;
}
