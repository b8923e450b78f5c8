/** A schema that looks at every field of a payload, and a core that enforces it. */
import type { RunningCore } from '../subjects/core.ts';

/** A schema that says something about every field of a value. */
export function schemaOf(value: unknown): object {
  if (Array.isArray(value)) return { type: 'array', maxItems: 100, items: schemaOf(value[0]) };
  if (typeof value === 'string') return { type: 'string', minLength: 1, maxLength: 1000 };
  if (typeof value === 'number') return { type: 'number', minimum: 0 };
  if (typeof value !== 'object' || value === null) return {};
  const properties = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, schemaOf(member)]),
  );
  return { type: 'object', properties, required: Object.keys(value), additionalProperties: false };
}

/** Registers the schema of a type at a core, makes the tenant strict, and shows that a payload that does not fit is refused. */
export async function enforceSchema(
  { target }: RunningCore,
  { type, payload }: { readonly type: string; readonly payload: string },
): Promise<void> {
  const ask = async (method: string, path: string, body: object): Promise<number> => {
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${target.apiKey}`,
    };
    const url = `${target.url}/api/v1${path}`;
    const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
    await response.arrayBuffer();
    return response.status;
  };
  const schema = schemaOf(JSON.parse(payload));
  const answers = [
    await ask('POST', '/schemas', { subject: type, schema }),
    await ask('PUT', '/tenants/default/schema-enforcement', { schema_enforcement: 'strict' }),
    await ask('POST', '/events', { event_type: type, entity_id: 'misfit', payload: { x: 1 } }),
  ];
  if (answers.join() !== '200,200,422' && answers.join() !== '201,200,422')
    throw new Error(`The schema is not enforced: ${answers.join()}`);
}
