/** A text for each parsed JSON value; two values have the same text exactly when they are equal. Takes time in proportion to the value, but for the sorting of names. */
export function valueKey(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(valueKey).join(',')}]`;
  const names = Object.keys(value).sort();
  const members = names.map(
    (name) => `${JSON.stringify(name)}:${valueKey((value as Record<string, unknown>)[name])}`,
  );
  return `{${members.join(',')}}`;
}

/** The size of a value in the unit that its key costs: values, and pieces of text. */
export function countNodes(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 64;
  if (typeof value !== 'object' || value === null) return 1;
  let nodes = 1;
  if (Array.isArray(value)) for (const item of value) nodes += countNodes(item);
  else
    for (const [name, member] of Object.entries(value))
      nodes += 1 + name.length / 64 + countNodes(member);
  return nodes;
}
