import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import {
  answer,
  firstOf,
  named,
  openApiDocument,
  type RouteDoc,
  text,
} from '@allsource/shared/openapi';

const THINGS: RouteDoc = {
  id: 'listThings',
  tag: 'Events',
  answers: { 200: answer('Things.', named('EventPage')) },
  errors: ['query_budget_exceeded'],
};

function route(path: string, needs = 'read') {
  return { method: 'GET', path, needs, summary: 'Lists things.' };
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
  readonly 'x-undocumented'?: boolean;
}

interface Document {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: object };
}

type Routes = readonly ReturnType<typeof route>[];

function documentOf(routes: Routes): Document {
  const words = { title: 'T', description: '', version: '1', edge: 'gateway' } as const;
  const document = openApiDocument({ ...words, routes, docs: { 'GET /things/:id': THINGS } });
  return document as unknown as Document;
}

/** What the document of some routes says of each path. */
function documented(routes: Routes): (path: string) => Operation {
  const { paths } = documentOf(routes);
  return (path) => must(paths[path], path).get;
}

describe('the document of some routes', () => {
  it('finds the same document for a route with the version and without, and names both apart', () => {
    const operation = documented([route('/api/v1/things/:thingId'), route('/api/things/:id')]);
    expect(operation('/api/v1/things/{thingId}').operationId).toBe('listThings');
    expect(operation('/api/things/{id}').operationId).toBe('listThingsUnversioned');
  });

  it('marks a route that nobody has documented', () => {
    const operation = documented([route('/api/v1/others'), route('/api/v1/things/:id')]);
    expect(operation('/api/v1/others')['x-undocumented']).toBe(true);
    expect(operation('/api/v1/others').operationId).toBe('getOthers');
    expect(operation('/api/v1/things/{id}')['x-undocumented']).toBeUndefined();
  });

  it('holds the schemas that it refers to and those that they refer to, and no others', () => {
    const { components } = documentOf([route('/api/v1/things/:id')]);
    expect(Object.keys(components.schemas)).toEqual([
      'EventPage',
      'Explanation',
      'GatewayProblem',
      'PositionedEvent',
    ]);
  });

  it('says by status what a route refuses: what all of its kind do, and what it does itself', () => {
    const operation = documented([route('/api/v1/things/:id'), route('/open', 'public')]);
    const { responses, security } = operation('/api/v1/things/{id}');
    expect(Object.keys(responses)).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '422',
      '500',
      '503',
    ]);
    expect(responses['422']?.description).toContain('query_budget_exceeded');
    expect(security).toEqual([{ bearer: [] }, { apiKey: [] }]);
    expect(operation('/open').security).toEqual([]);
    expect(Object.keys(operation('/open').responses)).toEqual(['500']);
  });

  it('lets administrators name a tenant wherever a route works in one', () => {
    const operation = documented([route('/api/v1/things/:id'), route('/open', 'public')]);
    const names = operation('/api/v1/things/{id}').parameters?.map(({ name }) => name);
    expect(names).toEqual(['id', 'tenant_id']);
    expect(operation('/open').parameters).toBeUndefined();
  });
});

describe('a member with several names', () => {
  it('is the first of them that is there', () => {
    const { if: isThere, else: otherwise } = firstOf(['a', 'b'], text());
    expect(isThere).toEqual({ required: ['a'] });
    expect(otherwise).toEqual({ required: ['b'], properties: { b: { type: 'string' } } });
  });
});
