import type { Route } from '../http/route.ts';
import type { Steps } from '@allsource/shared/lang';
import {
  type DocumentedRoute,
  type DocumentOptions,
  openApiSteps,
  routeDocFinder,
} from '@allsource/shared/openapi';
import { docsPageSteps } from './docs-page.ts';
import { inTurns } from './in-turns.ts';

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
 * the same for everybody: they say what the service offers and nothing of what it holds. They are written when somebody asks for the first time, since most
 * starts of a service are not for them.
 */
export function withApiDocument(options: ApiDocumentOptions): Route[] {
  const { aliases, servedInFront = [] } = options;
  const find = routeDocFinder(options.docs);
  const documented = (route: Route): Route => {
    const doc = find(route);
    return doc === null ? route : { ...route, doc };
  };
  let writing: Promise<Written> | null = null;
  const written = (): Promise<Written> => {
    writing ??= inTurns(writingSteps({ ...options, routes: [...servedInFront, ...routes] }));
    return writing;
  };
  const own = [
    ...['/openapi.json', ...(aliases?.document ?? [])].map((path) => documentRoute(path, written)),
    ...['/docs', ...(aliases?.page ?? [])].map((path) => pageRoute(path, written)),
  ];
  const routes = [...own, ...options.routes].map(documented);
  return routes;
}

interface Written {
  readonly document: string;
  readonly page: string;
  readonly policy: string;
}

function* writingSteps(options: DocumentOptions): Steps<Written> {
  const document = yield* openApiSteps(options);
  const page = yield* docsPageSteps(document);
  yield;
  const policy = PAGE_POLICY(page.styleHash);
  return { document: JSON.stringify(document), page: page.html, policy };
}

function documentRoute(path: string, written: () => Promise<Written>): Route {
  return {
    method: 'GET',
    path,
    needs: 'public',
    summary: 'The OpenAPI 3.1 document of this service.',
    handle: async (call) => call.json(200, (await written()).document),
  };
}

function pageRoute(path: string, written: () => Promise<Written>): Route {
  return {
    method: 'GET',
    path,
    needs: 'public',
    summary: 'The document as a page to read.',
    handle: async ({ response }) => {
      const { page, policy } = await written();
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.setHeader('content-security-policy', policy);
      response.setHeader('referrer-policy', 'no-referrer');
      response.end(page);
    },
  };
}
