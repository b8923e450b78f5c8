/** A program for tests: turns for a minute. */
const endsAt = performance.now() + 60_000;
while (performance.now() < endsAt);
