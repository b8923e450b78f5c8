/** Far more than anything takes on a machine that is not stuck; a test fails by it only when what it waits for never comes. */
const WAIT_MS_MAX = 120_000;
const LOOK_MS = 5;

/** Waits until something holds. Throws, naming it, when it does not come to hold. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string = holds.toString(),
): Promise<void> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > WAIT_MS_MAX)
      throw new RangeError(`waited ${WAIT_MS_MAX / 1000} s in vain for: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
}
