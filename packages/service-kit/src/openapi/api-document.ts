import type { Route } from '../http/route.ts';
import {
  type DocumentedRoute,
  type DocumentOptions,
  openApiDocument,
  routeDocFinder,
} from '@allsource/shared/openapi';
import { docsPage } from './docs-page.ts';

export interface ApiDocumentOptions extends Omit<DocumentOptions, 'routes'> {
  readonly routes: readonly Route[];
  /** Routes that are served in front of Express, and are in the document as well. */
  readonly servedInFront?: readonly DocumentedRoute[];
  /** Where the document and its page are found, besides /openapi.json and /docs. */
  readonly aliases?: { readonly document: readonly string[]; readonly page: readonly string[] };
}

/** The page is text and one style sheet, which is named by its hash: it loads nothing, and nothing that found its way into it would run. */
const PAGE_POLICY = (styleHash: string) =>
  `default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * The routes of a service with their documents, behind the routes that serve the OpenAPI document made of all of them, and a page to read it on. Both are
 * written once, here, and are the same for everybody: they say what the service offers and nothing of what it holds.
 */
export function withApiDocument(options: ApiDocumentOptions): Route[] {
  const { aliases, servedInFront = [] } = options;
  const find = routeDocFinder(options.docs);
  const served: { document: string; page: string; policy: string } = {
    document: '',
    page: '',
    policy: '',
  };
  const own = [
    ...['/openapi.json', ...(aliases?.document ?? [])].map((path) => documentRoute(path, served)),
    ...['/docs', ...(aliases?.page ?? [])].map((path) => pageRoute(path, served)),
  ];
  const routes = [...own, ...options.routes].map((route): Route => {
    const doc = find(route);
    return doc === null ? route : { ...route, doc };
  });
  const document = openApiDocument({ ...options, routes: [...servedInFront, ...routes] });
  const page = docsPage(document);
  served.document = JSON.stringify(document);
  served.page = page.html;
  served.policy = PAGE_POLICY(page.styleHash);
  return routes;
}

function documentRoute(path: string, served: { readonly document: string }): Route {
  return {
    method: 'GET',
    path,
    needs: 'public',
    summary: 'The OpenAPI 3.1 document of this service.',
    handle: (call) => call.json(200, served.document),
  };
}

function pageRoute(
  path: string,
  served: { readonly page: string; readonly policy: string },
): Route {
  return {
    method: 'GET',
    path,
    needs: 'public',
    summary: 'The document as a page to read.',
    handle: ({ response }) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.setHeader('content-security-policy', served.policy);
      response.setHeader('referrer-policy', 'no-referrer');
      response.end(served.page);
    },
  };
}
