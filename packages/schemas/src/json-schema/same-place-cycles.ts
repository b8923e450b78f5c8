/** Refuses schemas that refer to themselves without going down into a value: to check a value by them would never end. */
import {
  invalidSchema,
  isObject,
  keyword,
  type SchemaDocument,
  type SchemaPart,
} from './schema-document.ts';

const ALONE = ['not', 'if', 'then', 'else'];
const LISTED = ['allOf', 'anyOf', 'oneOf'];
const NAMED = ['dependentSchemas', 'dependencies'];

/** Throws `invalid_schema` for the first circle of schemas that all apply to the same value. */
export function refuseSamePlaceCycles(document: SchemaDocument): void {
  const finished = new Set<unknown>();
  const open = new Set<unknown>();
  const visit = (part: SchemaPart): void => {
    if (typeof part.schema === 'boolean' || finished.has(part.schema)) return;
    if (open.has(part.schema))
      throw invalidSchema(
        part.pointer,
        'it refers to itself without going down into a value, so no check by it would end.',
      );
    open.add(part.schema);
    for (const next of samePlace(document, part)) visit(next);
    open.delete(part.schema);
    finished.add(part.schema);
  };
  for (const part of document.parts) visit(part);
}

function samePlace(document: SchemaDocument, part: SchemaPart): SchemaPart[] {
  const { schema } = part;
  if (typeof schema === 'boolean') return [];
  const reference = keyword(schema, '$ref');
  const target = typeof reference === 'string' ? [document.resolve(reference, part)] : [];
  if (document.dialect === 'draft-07' && target.length > 0) return target;
  const places = [
    ...ALONE.filter((name) => isObject(keyword(schema, name))).map((name) => [name]),
    ...LISTED.flatMap((name) => {
      const list = keyword(schema, name);
      return Array.isArray(list) ? list.map((_, index) => [name, index]) : [];
    }),
    ...NAMED.flatMap((name) => {
      const members = keyword(schema, name);
      const entries = isObject(members) ? Object.entries(members) : [];
      return entries.filter(([, inner]) => isObject(inner)).map(([member]) => [name, member]);
    }),
  ];
  return [...target, ...places.map((steps) => document.within(part, steps))];
}
