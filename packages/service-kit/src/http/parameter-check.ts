import type { JsonSchema, RouteDoc } from '@allsource/shared/openapi';
import type { Parameters } from './parameters.ts';

type Check = (name: string, parameters: Parameters) => void;

/**
 * Checks the query parameters of a request against the schemas of the route's document, and refuses one as a route itself does: with its name, its value and
 * what is allowed. So a route accepts nothing that its document does not. What it accepts of this is still up to the route.
 */
export function requireParameters(parameters: Parameters, doc: RouteDoc | undefined): void {
  for (const [name, { schema, required = false, refusal }] of Object.entries(doc?.query ?? {})) {
    if (required) parameters.requiredText(name);
    if (refusal !== undefined) parameters.choice(name, wordsOf(schema), refusal);
    else checkOf(schema)?.(name, parameters);
  }
}

/** What can be told from a schema alone; null where any text will do, or the route knows more. */
function checkOf(schema: JsonSchema): Check | null {
  if (schema['type'] === 'integer') {
    const min = bound(schema['minimum'], 0);
    const max = bound(schema['maximum'], Number.MAX_SAFE_INTEGER);
    return (name, parameters) => void parameters.integer(name, { min, max });
  }
  if (schema['type'] === 'boolean') return (name, parameters) => void parameters.flag(name);
  if (schema['format'] === 'date-time')
    return (name, parameters) => void parameters.timestamp(name);
  const words = wordsOf(schema);
  return words.length === 0 ? null : (name, parameters) => void parameters.choice(name, words);
}

function bound(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function wordsOf(schema: JsonSchema): string[] {
  const words = schema['enum'];
  return Array.isArray(words) ? words.map(String) : [];
}
