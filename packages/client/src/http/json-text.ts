import { InvalidArgumentError } from './allsource-error.ts';

/** The JSON text of what is to be sent. Throws `InvalidArgumentError` for what has none: a bigint, an object that holds itself. */
export function jsonText(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`What was given is not JSON: ${reason}`, error);
  }
}
