import { LIMITS } from '@allsource/shared/limits';
import { eventTypeFault, projectionNameFault, quoted } from '@allsource/shared/model';
import {
  isStoreProjection,
  PROJECTION_TYPES,
  type ProjectionDefinition,
  type ProjectionType,
} from '@allsource/shared/protocol';
import { type Body, flag, invalid, isObject, object, oneOf, shown, text } from './body-members.ts';
import {
  CONFIG_DEFAULT,
  FAULT_HANDLING_DEFAULT,
  parseConfig,
  parseFaultHandling,
} from './parse-config.ts';
import { type ProjectionDocument, withNextBuild } from './projection-document.ts';
import { templateOf } from './projection-templates.ts';

/** A projection to create. */
export interface ProjectionDraft {
  readonly name: string;
  readonly document: ProjectionDocument;
}

/** Reads the body of a creation, in any of its forms. Throws a problem that names the member that is wrong. */
export function parseProjection(body: Body): ProjectionDraft {
  const template = text(body, 'template', LIMITS.projectionTextMax);
  const given = template === null ? olderForm(body) : { ...templateOf(template), ...body };
  const name = parseName(text(given, 'name', LIMITS.projectionTextMax));
  const type = typeOf(given);
  if (type === null)
    throw invalid('type', `is missing; allowed are ${PROJECTION_TYPES.join(', ')}`, {
      allowed: PROJECTION_TYPES,
    });
  const isStarted = flag(given, 'start') ?? template !== null;
  return {
    name,
    document: {
      type,
      event_types: eventTypes(given) ?? [],
      description: text(given, 'description', LIMITS.projectionTextMax),
      metadata: object(given, 'metadata'),
      config: parseConfig(given, CONFIG_DEFAULT),
      on_fault: parseFaultHandling(given, FAULT_HANDLING_DEFAULT),
      definition: object(given, 'definition') ?? {},
      wanted: isStarted ? 'running' : 'created',
      build: 1,
      pinned_build: null,
    },
  };
}

/** Reads the body of an update: what it leaves out stays. A change of what is computed makes a further build, beside the one that is read. */
export function parseProjectionUpdate(
  body: Body,
  before: ProjectionDefinition,
): ProjectionDocument {
  const type = typeOf(body) ?? before.type;
  const event_types = eventTypes(body) ?? before.event_types;
  const definition = object(body, 'definition') ?? before.definition;
  const isComputedOtherwise =
    type !== before.type ||
    !isSameJson(event_types.toSorted(), before.event_types.toSorted()) ||
    !isSameJson(definition, before.definition);
  const after = {
    ...before,
    type,
    event_types,
    definition,
    description: cleared(body, 'description')
      ? null
      : (text(body, 'description', LIMITS.projectionTextMax) ?? before.description),
    metadata: cleared(body, 'metadata') ? null : (object(body, 'metadata') ?? before.metadata),
    config: parseConfig(body, before.config),
    on_fault: parseFaultHandling(body, before.on_fault),
  };
  return isComputedOtherwise ? withNextBuild(before, after) : after;
}

/** True for a member that is given as null, which clears it. */
function cleared(body: Body, name: string): boolean {
  return body[name] === null;
}

function parseName(name: string | null): string {
  if (name === null) throw invalid('name', 'is missing; give the projection a name');
  const fault = projectionNameFault(name);
  if (fault !== null) throw invalid('name', `cannot be used: ${fault.replace(/\.$/, '')}`);
  // Paths with these segments are shortened on their way, and name something else when they arrive.
  if (name === '.' || name === '..')
    throw invalid('name', `is ${quoted(name)}, which no path can name`);
  if (isStoreProjection(name))
    throw invalid('name', `is ${quoted(name)}, which is a projection of the store itself`);
  return name;
}

function typeOf(body: Body): ProjectionType | null {
  return oneOf(body, 'type', PROJECTION_TYPES) ?? oneOf(body, 'projection_type', PROJECTION_TYPES);
}

function eventTypes(body: Body): readonly string[] | null {
  const path = body['event_types'] === undefined ? 'event_type_filters' : 'event_types';
  const given = body[path] ?? null;
  if (given === null) return null;
  const limit = LIMITS.filtersMax;
  if (!Array.isArray(given) || given.length > limit)
    throw invalid(path, `must be a list of at most ${limit} event types`, { limit });
  const seen = new Set<string>();
  for (const [index, pattern] of given.entries()) {
    const place = `${path}/${index}`;
    if (typeof pattern !== 'string')
      throw invalid(place, `is ${shown(pattern)}; allowed is a text`);
    const fault = patternFault(pattern);
    if (fault !== null) throw invalid(place, `cannot be used: ${fault.replace(/\.$/, '')}`);
    if (seen.has(pattern)) throw invalid(place, `is ${quoted(pattern)}, which stands there twice`);
    seen.add(pattern);
  }
  return [...seen];
}

/** Why a text is neither an event type, nor a prefix such as `order.*` or `order.`, nor `*`; or null. */
function patternFault(pattern: string): string | null {
  if (pattern === '*') return null;
  const stem = pattern.replace(/\.\*?$/, '');
  return eventTypeFault(stem === pattern ? stem : `${stem}.all`);
}

/**
 * The form of older clients, `{name, definition, version, initial_state}`: the definition is an object that says its type, or the source of a reducer. It runs from
 * the moment it is made.
 */
function olderForm(body: Body): Body {
  const { definition, version, initial_state, type, projection_type } = body;
  const isOlder = (type ?? projection_type ?? null) === null && (definition ?? null) !== null;
  if (!isOlder) return body;
  if ((version ?? 1) !== 1)
    throw invalid('version', `is ${shown(version)}; a projection begins with version 1`);
  const state = (initial_state ?? null) === null ? {} : { initial_state };
  if (typeof definition === 'string') {
    const reducer = { language: 'javascript', source: definition, ...state };
    return { start: true, ...body, type: 'custom', definition: reducer };
  }
  const inner = object(body, 'definition') ?? {};
  const { type: innerType, event_types, event_type_filters, ...rest } = inner;
  if (innerType === undefined)
    throw invalid(
      'definition/type',
      `is missing; say there or in 'type' what is computed: ${PROJECTION_TYPES.join(', ')}`,
      { allowed: PROJECTION_TYPES },
    );
  const filters = event_types ?? event_type_filters;
  const isCustom = innerType === 'custom';
  if (!isCustom && isObject(initial_state) && Object.keys(initial_state).length > 0)
    throw invalid('initial_state', `is only for projections of the type custom`);
  return {
    start: true,
    ...(filters === undefined ? {} : { event_types: filters }),
    ...body,
    type: innerType,
    definition: isCustom ? { ...state, ...rest } : rest,
  };
}

function isSameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
