import { describe, expect, it } from '@jest/globals';
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

function documentOf(routes: readonly ReturnType<typeof route>[]) {
  const words = { title: 'T', description: '', version: '1', edge: 'gateway' } as const;
  const document = openApiDocument({ ...words, routes, docs: { 'GET /things/:id': THINGS } });
  // Tests read members of many shapes and fail on a wrong one.
  // oxlint-disable-next-line typescript/no-explicit-any
  return document as any;
}

describe('the document of some routes', () => {
  it('finds the same document for a route with the version and without, and names both apart', () => {
    const { paths } = documentOf([route('/api/v1/things/:thingId'), route('/api/things/:id')]);
    expect(paths['/api/v1/things/{thingId}'].get.operationId).toBe('listThings');
    expect(paths['/api/things/{id}'].get.operationId).toBe('listThingsUnversioned');
  });

  it('marks a route that nobody has documented', () => {
    const { paths } = documentOf([route('/api/v1/others'), route('/api/v1/things/:id')]);
    expect(paths['/api/v1/others'].get['x-undocumented']).toBe(true);
    expect(paths['/api/v1/others'].get.operationId).toBe('getOthers');
    expect(paths['/api/v1/things/{id}'].get['x-undocumented']).toBeUndefined();
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
    const { paths } = documentOf([route('/api/v1/things/:id'), route('/open', 'public')]);
    const { responses, security } = paths['/api/v1/things/{id}'].get;
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
    expect(responses['422'].description).toContain('query_budget_exceeded');
    expect(security).toEqual([{ bearer: [] }, { apiKey: [] }]);
    expect(paths['/open'].get.security).toEqual([]);
    expect(Object.keys(paths['/open'].get.responses)).toEqual(['500']);
  });

  it('lets administrators name a tenant wherever a route works in one', () => {
    const { paths } = documentOf([route('/api/v1/things/:id'), route('/open', 'public')]);
    const names = paths['/api/v1/things/{id}'].get.parameters.map(
      ({ name }: { name: string }) => name,
    );
    expect(names).toEqual(['id', 'tenant_id']);
    expect(paths['/open'].get.parameters).toBeUndefined();
  });
});

describe('a member with several names', () => {
  it('is the first of them that is there', () => {
    const { if: isThere, else: otherwise } = firstOf(['a', 'b'], text());
    expect(isThere).toEqual({ required: ['a'] });
    expect(otherwise).toEqual({ required: ['b'], properties: { b: { type: 'string' } } });
  });
});
