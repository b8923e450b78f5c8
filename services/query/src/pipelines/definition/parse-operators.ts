import { LIMITS } from '@allsource/shared/limits';
import {
  type BranchDefinition,
  FILTER_OPS,
  type FilterDefinition,
  type MapDefinition,
  type OperatorDefinition,
  REDUCE_FUNCTIONS,
  type ReduceDefinition,
  type Transform,
  WINDOW_OUTPUTS,
  WINDOW_TYPES,
  type WindowDefinition,
} from './operator-definition.ts';
import { Members, refusal, shown } from './members.ts';
import { fieldPath, optionalFieldPath } from './field-path.ts';
import { parseEnrich } from './parse-enrich.ts';

const ROUTE_LENGTH_MAX = 256;
const SECONDS = { min: 0.001, max: 366 * 86_400 };
const TYPES = ['filter', 'map', 'reduce', 'window', 'enrich', 'branch'] as const;

/** Reads the operators of a pipeline. Throws `invalid_body` with a pointer to what cannot be used. */
export function parseOperators(values: readonly unknown[], pointer: string): OperatorDefinition[] {
  return values.map((value, i) => parseOperator(new Members(value, `${pointer}/${i}`)));
}

function parseOperator(members: Members): OperatorDefinition {
  const operator = parseTyped(members);
  members.done();
  return operator;
}

function parseTyped(members: Members): OperatorDefinition {
  switch (members.choice('type', TYPES)) {
    case 'filter':
      return parseFilter(members);
    case 'map':
      return parseMap(members);
    case 'reduce':
      return parseReduce(members);
    case 'window':
      return parseWindow(members);
    case 'enrich':
      return parseEnrich(members);
    case 'branch':
      return parseBranch(members);
  }
}

function parseFilter(members: Members): FilterDefinition {
  const field = fieldPath(members, 'field');
  const op = members.choice('op', FILTER_OPS);
  const value = members.value('value');
  const isOrdered = typeof value === 'number' || typeof value === 'string';
  if (value === undefined || ((op === 'gt' || op === 'lt') && !isOrdered)) {
    const allowed = value === undefined ? 'any JSON value' : 'a number or text';
    throw refusal(
      members.at('value'),
      `'value' is ${shown(value)}; for '${op}' allowed is ${allowed}.`,
    );
  }
  return { type: 'filter', field, op, value };
}

function parseMap(members: Members): MapDefinition {
  return { type: 'map', field: fieldPath(members, 'field'), transform: parseTransform(members) };
}

function parseTransform(members: Members): Transform {
  const text = members.text('transform', { max: 64 });
  if (text === 'uppercase' || text === 'lowercase' || text === 'trim') return { kind: text };
  const match = /^(multiply|add):(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.exec(text);
  const by = Number(match?.[2]);
  if (match !== null && Number.isFinite(by)) {
    return { kind: match[1] === 'add' ? 'add' : 'multiply', by };
  }
  throw refusal(
    members.at('transform'),
    `'transform' is ${shown(text)}; allowed are uppercase, lowercase, trim, multiply:N and add:N with a number N.`,
    { allowed: ['uppercase', 'lowercase', 'trim', 'multiply:N', 'add:N'] },
  );
}

function parseReduce(members: Members): ReduceDefinition {
  return {
    type: 'reduce',
    field: fieldPath(members, 'field'),
    function: members.choice('function', REDUCE_FUNCTIONS),
    groupBy: optionalFieldPath(members, 'group_by'),
  };
}

function parseWindow(members: Members): WindowDefinition {
  const config = new Members(members.value('config'), members.at('config'));
  const sizeSeconds = config.number('size_seconds', SECONDS);
  const window = {
    windowType: config.choice('window_type', WINDOW_TYPES),
    sizeSeconds,
    slideSeconds: config.optionalNumber('slide_seconds', SECONDS) ?? sizeSeconds,
    sessionTimeoutSeconds: config.optionalNumber('session_timeout_seconds', SECONDS) ?? sizeSeconds,
    allowedLatenessSeconds:
      config.optionalNumber('allowed_lateness_seconds', { min: 0, max: SECONDS.max }) ?? 0,
    outputOn: config.optionalChoice('output_on', WINDOW_OUTPUTS) ?? 'update',
  };
  config.done();
  requireFewOverlaps(window, config);
  return { type: 'window', ...window, aggregation: parseAggregation(members) };
}

function requireFewOverlaps(
  {
    windowType,
    sizeSeconds,
    slideSeconds,
  }: Pick<WindowDefinition, 'windowType' | 'sizeSeconds' | 'slideSeconds'>,
  config: Members,
): void {
  if (windowType !== 'sliding') return;
  const max = LIMITS.pipelineWindowsPerEventMax;
  if (slideSeconds <= sizeSeconds && sizeSeconds / slideSeconds <= max) return;
  throw refusal(
    config.at('slide_seconds'),
    `'slide_seconds' is ${slideSeconds} with windows of ${sizeSeconds} seconds; allowed is from ${sizeSeconds / max} (an event is in at most ${max} windows) to ${sizeSeconds}.`,
    { limit: max },
  );
}

function parseAggregation(members: Members): ReduceDefinition {
  const aggregation = new Members(members.value('aggregation'), members.at('aggregation'));
  aggregation.choice('type', ['reduce']);
  const parsed = parseReduce(aggregation);
  aggregation.done();
  return parsed;
}

function parseBranch(members: Members): BranchDefinition {
  const field = fieldPath(members, 'field');
  const branches = new Map<string, string>();
  const max = LIMITS.pipelineBranchesMax;
  for (const [value, route] of members.entries('branches', { min: 1, max })) {
    if (typeof route !== 'string' || route === '' || route.length > ROUTE_LENGTH_MAX) {
      const pointer = `${members.at('branches')}/${value.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      throw refusal(pointer, `The route is ${shown(route)}; allowed is text.`);
    }
    branches.set(value, route);
  }
  return { type: 'branch', field, branches };
}
