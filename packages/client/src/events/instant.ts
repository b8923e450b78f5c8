import { InvalidArgumentError } from '../http/allsource-error.ts';

/** An instant: a Date, or an RFC 3339 text with a zone. */
export type Instant = Date | string;

/** The text of an instant. Throws `InvalidArgumentError` for a Date that is none. */
export function instantText(instant: Instant | undefined): string | undefined {
  if (!(instant instanceof Date)) return instant;
  if (Number.isNaN(instant.getTime()))
    throw new InvalidArgumentError('A Date that was given is invalid: it holds no time.');
  return instant.toISOString();
}
