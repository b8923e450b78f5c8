import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/** Refuses an answer with more characters of states than one may have. Throws `payload_too_large`. */
export function requireStatesLength(characters: number): void {
  const limit = LIMITS.statesPageCharactersMax;
  if (characters <= limit) return;
  throw problem(
    'payload_too_large',
    `The states of these keys have more than ${limit} characters together. Ask for fewer at a time.`,
    { limit },
  );
}
