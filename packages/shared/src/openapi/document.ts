/**
 * Writes the OpenAPI 3.1 document of a service out of its routes: every route is in it, also one that nobody has documented, which then says so
 * (`x-undocumented`) and fails the tests.
 */
import { type ErrorCode, ERROR_CATALOGUE } from '../errors/catalogue.ts';
import { atOnce, type Steps } from '../lang/steps.ts';
import { CONFLICT_INDEX_HEADER, type ErrorEdge, PROBLEM_CONTENT_TYPE } from '../errors/wire.ts';
import { INTERNAL_TOKEN_HEADER } from '../protocol/feed.ts';
import { type DocumentedRoute, routeDocFinder, splitPath } from './find-route-doc.ts';
import { type JsonSchema, named, text } from './json-schema.ts';
import { PATH_PARAMETERS, TENANT } from './parameters.ts';
import { type ParameterDoc, type RouteDoc, type RouteDocs, TAGS } from './route-doc.ts';
import { SCHEMAS } from './schemas.ts';

export interface DocumentOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
  readonly edge: ErrorEdge;
  readonly routes: readonly DocumentedRoute[];
  readonly docs: RouteDocs;
}

export type OpenApiDocument = Readonly<Record<string, unknown>>;

const PROBLEM_SCHEMAS: Readonly<Record<ErrorEdge, string>> = {
  core: 'CoreProblem',
  gateway: 'GatewayProblem',
  'control-plane': 'ControlPlaneProblem',
};

const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a token.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
  internal: {
    type: 'apiKey',
    in: 'header',
    name: INTERNAL_TOKEN_HEADER,
    description: 'The secret of the services of the store. Never for clients.',
  },
};

/** Writes the document. */
export function openApiDocument(options: DocumentOptions): OpenApiDocument {
  return atOnce(openApiSteps(options));
}

/** The same a route at a time, for a service that has other things to do in between. */
export function* openApiSteps(options: DocumentOptions): Steps<OpenApiDocument> {
  const find = routeDocFinder(options.docs);
  const ids = new Set<string>();
  const tags = new Set<string>();
  const schemas = new UsedSchemas();
  const paths: Record<string, Record<string, object>> = {};
  for (const route of options.routes) {
    const doc = find(route);
    const path = openApiPath(route.path);
    const id = freeId(doc?.id ?? derivedId(route), route, ids);
    const operation = { operationId: id, ...operationOf(route, doc, options.edge) };
    for (const tag of operation.tags) tags.add(tag);
    schemas.addThoseOf(operation);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation };
    yield;
  }
  const { title, description, version } = options;
  return {
    openapi: '3.1.0',
    info: {
      title,
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS)
      .filter(([name]) => tags.has(name))
      .map(([name, words]) => ({ name, description: words })),
    paths,
    components: { schemas: schemas.byName(), securitySchemes: SECURITY_SCHEMES },
  };
}

/** `/a/:b` as `/a/{b}`; what a path may go on with is a parameter too. */
export function openApiPath(path: string): string {
  return path.replaceAll(/\{\/\*(\w+)\}/g, '/{$1}').replaceAll(/:(\w+)/g, '{$1}');
}

function operationOf(route: DocumentedRoute, doc: RouteDoc | null, edge: ErrorEdge) {
  const { needs, summary } = route;
  const parameters = parametersOf(route, doc);
  const description = [doc?.description, needsSentence(needs)].filter(
    (sentence) => sentence !== undefined,
  );
  return {
    summary,
    description: description.join('\n\n'),
    tags: [doc?.tag ?? 'Operations'],
    security: securityOf(needs),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(doc?.body === undefined ? {} : { requestBody: requestBody(doc.body) }),
    responses: responsesOf(route, doc, edge),
    'x-needs': needs,
    ...(doc === null ? { 'x-undocumented': true } : {}),
  };
}

function needsSentence(needs: string): string | undefined {
  if (needs === 'public') return undefined;
  if (needs === 'internal') return 'Only for the services of the store.';
  if (needs === 'authenticated') return 'Any valid key or token will do.';
  return `Needs the permission \`${needs}\`.`;
}

function securityOf(needs: string): readonly object[] {
  if (needs === 'public') return [];
  if (needs === 'internal') return [{ internal: [] }];
  return [{ bearer: [] }, { apiKey: [] }];
}

/** True for a route on which administrators may name a tenant. */
function worksInTenant({ needs }: DocumentedRoute, doc: RouteDoc | null): boolean {
  return needs !== 'public' && needs !== 'internal' && doc?.tenant !== false;
}

function parametersOf(route: DocumentedRoute, doc: RouteDoc | null): object[] {
  const names = [...openApiPath(route.path).matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const inPath = names.map((name) => {
    const known = doc?.path?.[name] ?? PATH_PARAMETERS[name] ?? undocumented(name);
    return parameterOf(name, 'path', { ...known, required: true });
  });
  const query = { ...doc?.query, ...(worksInTenant(route, doc) ? { tenant_id: TENANT } : {}) };
  return [
    ...inPath,
    ...Object.entries(query).map(([name, one]) => parameterOf(name, 'query', one)),
    ...Object.entries(doc?.headers ?? {}).map(([name, one]) => parameterOf(name, 'header', one)),
  ];
}

function undocumented(name: string): ParameterDoc {
  return { description: `The ${name}.`, schema: text() };
}

function parameterOf(name: string, place: 'path' | 'query' | 'header', doc: ParameterDoc): object {
  const { description, required = false, schema, example } = doc;
  return {
    name,
    in: place,
    description,
    required,
    schema,
    ...(example === undefined ? {} : { example }),
  };
}

function requestBody({ description, isOptional = false, content }: NonNullable<RouteDoc['body']>) {
  return { ...(description === undefined ? {} : { description }), required: !isOptional, content };
}

function responsesOf(route: DocumentedRoute, doc: RouteDoc | null, edge: ErrorEdge): object {
  const answers = Object.entries(doc?.answers ?? {}).map(([status, { headers, ...one }]) => [
    status,
    { ...one, ...(headers === undefined ? {} : { headers: headersOf(headers) }) },
  ]);
  return { ...refusalsOf(route, doc, edge), ...Object.fromEntries(answers) };
}

function headersOf(headers: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  );
}

/** What every route of a kind may refuse, and what this one does, by status. */
function refusalsOf(route: DocumentedRoute, doc: RouteDoc | null, edge: ErrorEdge): object {
  const codes = new Set<ErrorCode>([...usualCodes(route, doc, edge), ...(doc?.errors ?? [])]);
  const byStatus = Object.groupBy(codes, (code) => String(ERROR_CATALOGUE[code].status));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, some = []]) => [status, refusal(some, edge)]),
  );
}

function usualCodes(route: DocumentedRoute, doc: RouteDoc | null, edge: ErrorEdge): ErrorCode[] {
  const { needs } = route;
  const isOpen = needs === 'public';
  const hasChoice = worksInTenant(route, doc) || doc?.query !== undefined;
  const takesJson = doc?.body?.content['application/json'] !== undefined;
  return [
    'internal',
    ...(isOpen ? [] : (['unauthenticated'] as const)),
    // The keys are read from core, and may have to be waited for.
    ...(isOpen || edge === 'core' ? [] : (['upstream_unavailable', 'starting'] as const)),
    ...(isOpen || needs === 'internal' ? [] : (['forbidden'] as const)),
    ...(worksInTenant(route, doc) ? (['tenant_not_found', 'invalid_tenant_id'] as const) : []),
    ...(hasChoice || route.path.includes(':') ? (['invalid_parameter'] as const) : []),
    ...(takesJson
      ? ([
          'malformed_json',
          'json_too_deep',
          'invalid_body',
          'body_too_large',
          'unsupported_media_type',
        ] as const)
      : []),
  ];
}

const CONFLICT_HEADERS = {
  [CONFLICT_INDEX_HEADER]: 'Which event of the append expects another version, from 0.',
};

function refusal(codes: readonly ErrorCode[], edge: ErrorEdge): object {
  const words = codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}.`);
  const problem = named(PROBLEM_SCHEMAS[edge]);
  const isConflict = edge === 'core' && codes.includes('version_conflict');
  const schema = isConflict ? { anyOf: [problem, named('CoreVersionConflict')] } : problem;
  const headers = codes.includes('version_conflict')
    ? { headers: headersOf(CONFLICT_HEADERS) }
    : {};
  return {
    description: words.join('\n\n'),
    ...headers,
    content: { [PROBLEM_CONTENT_TYPE]: { schema } },
  };
}

/** A name that no other operation of the document has: older paths without the version are named so, others after their path. */
function freeId(id: string, route: DocumentedRoute, taken: Set<string>): string {
  const isOlder = splitPath(route.path).base === '/api';
  const candidates = [isOlder ? `${id}Unversioned` : id, `${id}Of${wordsOf(route.path)}`];
  const free = candidates.find((one) => !taken.has(one)) ?? `${id}${taken.size}`;
  taken.add(free);
  return free;
}

function derivedId({ method, path }: DocumentedRoute): string {
  return method.toLowerCase() + wordsOf(splitPath(path).below);
}

function wordsOf(path: string): string {
  const words = path.match(/[A-Za-z0-9]+/g) ?? [];
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The named schemas that the parts of a document refer to, and those that they refer to. */
class UsedSchemas {
  readonly #used = new Map<string, JsonSchema>();

  addThoseOf(part: object): void {
    for (const [, name = ''] of JSON.stringify(part).matchAll(/#\/components\/schemas\/(\w+)/g)) {
      const schema = SCHEMAS[name];
      if (schema === undefined || this.#used.has(name)) continue;
      this.#used.set(name, schema);
      this.addThoseOf(schema);
    }
  }

  byName(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#used].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
