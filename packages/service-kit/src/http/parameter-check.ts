import type { JsonSchema, ParameterDoc, RouteDoc } from '@allsource/shared/openapi';
import type { Parameters } from '@allsource/shared/protocol';

/** Throws `invalid_parameter` for a value that the document does not allow. */
export type ParameterCheck = (parameters: Parameters) => void;

/**
 * Makes the check of the query parameters of a route out of the schemas of its document. A value is refused as a route itself does it: with its name, the value
 * and what is allowed. So a route accepts nothing that its document does not; whether it takes all that the document allows is for its tests to show.
 */
export function parameterCheck(doc: RouteDoc | undefined): ParameterCheck {
  const checks = Object.entries(doc?.query ?? {}).flatMap(([name, parameter]) => [
    ...(parameter.required === true ? [presence(name)] : []),
    ...formOf(name, parameter),
  ]);
  return (parameters) => {
    for (const check of checks) check(parameters);
  };
}

function presence(name: string): ParameterCheck {
  return (parameters) => void parameters.requiredText(name);
}

/** What can be told from a schema alone: nothing where any text will do, or the route knows more. */
function formOf(name: string, { schema, refusal }: ParameterDoc): ParameterCheck[] {
  const { type, format, minimum, maximum } = schema;
  if (type === 'integer') {
    const limits = { min: bound(minimum, 0), max: bound(maximum, Number.MAX_SAFE_INTEGER) };
    return [(parameters) => void parameters.integer(name, limits)];
  }
  if (type === 'boolean') return [(parameters) => void parameters.flag(name)];
  if (format === 'date-time') return [(parameters) => void parameters.timestamp(name)];
  const words = wordsOf(schema);
  return words.length === 0 ? [] : [(parameters) => void parameters.choice(name, words, refusal)];
}

function bound(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

function wordsOf(schema: JsonSchema): string[] {
  const words = schema['enum'];
  return Array.isArray(words) ? words.map(String) : [];
}
