import type { JsonWriter } from '../reads/json-writer.ts';

/**
 * Writes members as a JSON object, each value as it was sent. Sends what is collected while it goes, so that a large state is not printed at
 * once. False when the reader has gone.
 */
export async function writeMembers(
  writer: JsonWriter,
  members: ReadonlyMap<string, string>,
): Promise<boolean> {
  let separator = '{';
  for (const [name, value] of members) {
    writer.text(`${separator}${JSON.stringify(name)}:${value}`);
    separator = ',';
    if (writer.isFull && !(await writer.flush())) return false;
  }
  writer.text(members.size === 0 ? '{}' : '}');
  return true;
}
