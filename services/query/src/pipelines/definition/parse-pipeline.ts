import { randomBytes } from 'node:crypto';
import { LIMITS } from '@allsource/shared/limits';
import { eventTypeFault, SYSTEM_TYPE_PREFIX } from '@allsource/shared/model';
import { isObject, Members, refusal, shown } from './members.ts';
import type { OutputDefinition } from './output-definition.ts';
import { destinationsOf } from './output-definition.ts';
import { parseOperators } from './parse-operators.ts';
import { parseOutput, type SecretOf } from './parse-output.ts';
import { type Pipeline, type PipelineDocument, type Start, STARTS } from './pipeline-definition.ts';
import { pipelineIdFault } from './pipeline-id.ts';

const NAME = { max: 128 };
const DESCRIPTION = { min: 0, max: 2_000 };
const SECRET_BYTES = 24;

/** What a client wants of a pipeline. */
export interface PipelineWish
  extends Pick<
    PipelineDocument,
    | 'name'
    | 'description'
    | 'source_event_types'
    | 'operators'
    | 'enabled'
    | 'output'
    | 'start_from'
    | 'secrets'
  > {
  /** Null where the store is to choose it. */
  readonly id: string | null;
  readonly parsed: Pick<Pipeline, 'operators' | 'output'>;
  /** The secrets that were made for it. */
  readonly madeSecrets: Readonly<Record<string, string>>;
}

/** Reads the body that registers a pipeline. `known` are the secrets that it has. Throws `invalid_body` with a pointer. */
export function parsePipelineWish(
  body: unknown,
  known: Readonly<Record<string, string>> = {},
): PipelineWish {
  const members = new Members(body, '');
  const made: Record<string, string> = {};
  const secretOf: SecretOf = (route, given) =>
    given ??
    (Object.hasOwn(known, route) ? (known[route] as string) : (made[route] = madeSecret()));
  const operators = members.list('operators', { max: LIMITS.pipelineOperatorsMax });
  const output = members.value('output');
  const parsed = {
    operators: parseOperators(operators, '/operators'),
    output: parseOutput(output, '/output', secretOf),
  };
  const wish = {
    id: parseId(members),
    name: members.text('name', NAME),
    description: members.optionalText('description', DESCRIPTION),
    source_event_types: parseTypes(members),
    enabled: members.flag('enabled', true),
    start_from: members.optionalChoice('start_from', STARTS) ?? usualStart(parsed.output),
  };
  members.done();
  const secrets = secretsOf(parsed.output);
  return { ...wish, operators, output: withoutSecrets(output), secrets, parsed, madeSecrets: made };
}

/** Makes a pipeline ready out of what the log keeps. Throws `invalid_body` for a document that this program does not know. */
export function readyPipeline(tenant: string, document: PipelineDocument): Pipeline {
  const { id, name, operators, output, secrets, generation, run } = document;
  const secretOf: SecretOf = (route) => secrets[route] ?? '';
  return {
    tenant,
    id,
    sourceEventTypes: document.source_event_types,
    operators: parseOperators(operators, '/operators'),
    output: parseOutput(output, '/output', secretOf),
    name,
    generation,
    run,
    startAfter: document.start_after,
  };
}

function parseId(members: Members): string | null {
  const id = members.optionalText('id', NAME);
  const fault = id === null ? null : pipelineIdFault(id);
  if (fault !== null) throw refusal(members.at('id'), fault);
  return id?.toLowerCase() ?? null;
}

function parseTypes(members: Members): string[] {
  const types = members.has('source_event_types')
    ? members.list('source_event_types', { max: LIMITS.filtersMax })
    : [];
  return types.map((type, i) => {
    const fault = typeof type === 'string' ? patternFault(type) : `It is ${shown(type)}.`;
    if (fault === null) return type as string;
    const pointer = `${members.at('source_event_types')}/${i}`;
    throw refusal(pointer, `${fault} Allowed are event types, 'prefix.*' and '*'.`);
  });
}

function patternFault(pattern: string): string | null {
  if (pattern === '*') return null;
  const isPrefix = pattern.endsWith('.*') && !pattern.startsWith(SYSTEM_TYPE_PREFIX);
  return eventTypeFault(isPrefix ? pattern.slice(0, -2) : pattern);
}

/** A table is of the whole log; what acts on others begins with what comes. */
function usualStart(output: OutputDefinition): Start {
  const acts = [...destinationsOf(output).values()].some(({ kind }) => kind !== 'table');
  return acts ? 'now' : 'beginning';
}

function secretsOf(output: OutputDefinition): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const [route, destination] of destinationsOf(output))
    if (destination.kind === 'webhook') secrets[route] = destination.secret;
  return secrets;
}

function withoutSecrets(output: unknown): unknown {
  if (Array.isArray(output)) return output.map(withoutSecrets);
  if (!isObject(output)) return output;
  const kept = Object.entries(output).filter(
    ([name]) => !(name === 'secret' && output['kind'] === 'webhook'),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutSecrets(value)]));
}

function madeSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}
