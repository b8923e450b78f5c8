/** A schema that looks at every field of a payload, and a core that enforces it. */
import { type BenchEvent, benchEvent, PADDING_MEMBER } from '../event.ts';
import type { RunningCore } from '../subjects/core.ts';

/** A schema that says something about every field of a value. What pads an event may be of any length and may be left out. */
export function schemaOf(value: unknown): object {
  if (Array.isArray(value)) return { type: 'array', maxItems: 100, items: schemaOf(value[0]) };
  if (typeof value === 'string') return { type: 'string', minLength: 1, maxLength: 1000 };
  if (typeof value === 'number') return { type: 'number', minimum: 0 };
  if (typeof value !== 'object' || value === null) return {};
  const properties = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === PADDING_MEMBER ? { type: 'string' } : schemaOf(member),
    ]),
  );
  const required = Object.keys(value).filter((name) => name !== PADDING_MEMBER);
  return { type: 'object', properties, required, additionalProperties: false };
}

/** The event from whose payload the schema of all others is made: with the shortest entity id, so that it is padded if any is. */
function sampleEvent(bytes: number): BenchEvent {
  return benchEvent({ entity: 'e', bytes });
}

/** The schema that the payloads of all events of this size fit. */
export function schemaOfEvents(bytes: number): object {
  return schemaOf(JSON.parse(sampleEvent(bytes).payload));
}

/** Registers the schema of the events of a size at a core, makes the tenant strict, and shows that a payload that does not fit is refused. */
export async function enforceSchema(
  { target }: RunningCore,
  { eventBytes }: { readonly eventBytes: number },
): Promise<void> {
  const { type } = sampleEvent(eventBytes);
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
  const schema = schemaOfEvents(eventBytes);
  const answers = [
    await ask('POST', '/schemas', { subject: type, schema }),
    await ask('PUT', '/tenants/default/schema-enforcement', { schema_enforcement: 'strict' }),
    await ask('POST', '/events', { event_type: type, entity_id: 'misfit', payload: { x: 1 } }),
  ];
  if (answers.join() !== '200,200,422' && answers.join() !== '201,200,422')
    throw new Error(`The schema is not enforced: ${answers.join()}`);
}
