import { problem } from '@allsource/shared/errors';
import { JsonScanner, rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import type { SavedState } from './projection-state-service.ts';

/** The state of a body `{"state": any}` as it was sent. The body must be valid JSON. */
export function parseState(body: Uint8Array): string {
  return memberOf(body, { name: 'state', pointer: '' });
}

/** The states of a body `{"states": [{"entity_id", "state"}, ...]}`, each state as it was sent. The body must be valid JSON. */
export function parseStates(body: Uint8Array): SavedState[] {
  const states = Buffer.from(memberOf(body, { name: 'states', pointer: '' }));
  return rawElements(states, '/states').map((text, index) => {
    const pointer = `/states/${index}`;
    const element = Buffer.from(text);
    const entity: unknown = JSON.parse(memberOf(element, { name: 'entity_id', pointer }));
    if (typeof entity !== 'string') {
      throw invalid(`'entity_id' of state ${index} must be a text.`, `${pointer}/entity_id`);
    }
    return { entity, state: memberOf(element, { name: 'state', pointer }) };
  });
}

/** The entity ids of a body `{"entity_ids": [...]}`. The body must be valid JSON. */
export function parseEntityIds(body: Uint8Array): string[] {
  const ids: unknown = JSON.parse(memberOf(body, { name: 'entity_ids', pointer: '' }));
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return ids;
  throw invalid("'entity_ids' must be a list of texts.", '/entity_ids');
}

function memberOf(
  object: Uint8Array,
  { name, pointer }: { readonly name: string; readonly pointer: string },
): string {
  const members = rawMembers(object);
  const at = pointer === '' ? 'The body' : `The element ${pointer}`;
  if (members === null) throw invalid(`${at} must be a JSON object.`, pointer);
  const text = members.get(name);
  if (text === undefined) throw invalid(`${at} lacks '${name}'.`, `${pointer}/${name}`);
  return text;
}

function rawElements(array: Buffer, pointer: string): string[] {
  const scanner = new JsonScanner(array, LIMITS.jsonDepthMax);
  if (scanner.peek() !== 0x5b) throw invalid(`'${pointer.slice(1)}' must be a list.`, pointer);
  const elements: string[] = [];
  scanner.visitArray(0, () => {
    const start = scanner.at;
    scanner.skipValue(1);
    elements.push(array.toString('utf8', start, scanner.at));
  });
  return elements;
}

function invalid(detail: string, pointer: string): Error {
  return problem('invalid_body', detail, { pointer });
}
