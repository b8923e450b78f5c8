/** A JSON text as an object; null when it is none. */
export function parsedObject(text: string): Record<string, unknown> | null {
  const value = parsed(text);
  return isRecord(value) ? value : null;
}

/** A JSON text as a list of objects; null when it is none. What is no object in it is left out. */
export function parsedList(text: string): Record<string, unknown>[] | null {
  const value = parsed(text);
  return Array.isArray(value) ? value.filter(isRecord) : null;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever asked says what an unreadable answer means.
    return null;
  }
}
