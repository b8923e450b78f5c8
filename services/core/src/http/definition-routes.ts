import {
  type Call,
  readBody,
  requireJson,
  requireWellFormedJson,
  type Route,
} from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { DEFINITION_KINDS, DEFINITIONS_PATH } from '@allsource/shared/protocol';
import type { DefinitionName } from '../definitions/definition-fold.ts';
import type { DefinitionService } from '../definitions/definition-service.ts';

const ONE = `${DEFINITIONS_PATH}/:kind/:tenant/:name`;

/** The routes by which the query service has definitions kept; see shared/protocol/definitions-path.ts. */
export function definitionRoutes(definitions: DefinitionService): Route[] {
  return [
    {
      method: 'PUT',
      path: ONE,
      needs: 'internal',
      summary: 'Sets the definition of a projection or pipeline.',
      handle: (call) => set(call, definitions),
    },
    {
      method: 'DELETE',
      path: ONE,
      needs: 'internal',
      summary: 'Removes the definition of a projection or pipeline.',
      handle: async (call) => {
        const position = await definitions.remove(nameOf(call), expectedPosition(call));
        call.json(200, { position });
      },
    },
  ];
}

async function set(call: Call, definitions: DefinitionService): Promise<void> {
  const of = nameOf(call);
  const expected = expectedPosition(call);
  requireJson(call.request);
  const document = documentOf(await readBody(call.request, LIMITS.definitionBytesMax));
  call.json(200, { position: await definitions.set(of, document, expected) });
}

/** The document as text. It is looked at where it will lie, so that it is not nested deeper there than folds read. */
function documentOf(body: Buffer): string {
  const around = ['{"document":', '}'].map((text) => Buffer.from(text));
  const placed = Buffer.concat([...around.slice(0, 1), body, ...around.slice(1)]);
  requireWellFormedJson(placed);
  const members = rawMembers(placed);
  const text = members?.get('document');
  if (members?.size === 1 && text?.startsWith('{') === true) return text;
  throw problem('invalid_body', 'A definition is one JSON object.');
}

function nameOf(call: Call): DefinitionName {
  const said = call.pathParameter('kind');
  const kind = DEFINITION_KINDS.find((known) => known === said);
  if (kind !== undefined)
    return { kind, tenant: call.pathParameter('tenant'), name: call.pathParameter('name') };
  throw problem(
    'invalid_parameter',
    `The kind is ${quoted(said)}; allowed are ${DEFINITION_KINDS.join(', ')}.`,
    { parameter: 'kind', allowed: DEFINITION_KINDS },
  );
}

function expectedPosition(call: Call): number {
  const limits = { min: 0, max: Number.MAX_SAFE_INTEGER };
  const expected = call.query.integer('expected_position', limits);
  if (expected !== null) return expected;
  throw problem('invalid_parameter', "The parameter 'expected_position' is missing.", {
    parameter: 'expected_position',
  });
}
