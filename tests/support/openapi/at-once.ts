const AT_ONCE = 8;

/** Does something with each item, with a few of them at the same time. */
export async function atOnce<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of { [Symbol.iterator]: () => rest }) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
