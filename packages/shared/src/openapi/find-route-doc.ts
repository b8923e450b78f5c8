import type { RouteDoc, RouteDocs } from './route-doc.ts';

/** A route, as far as its document needs it; the routes of service-kit fit. */
export interface DocumentedRoute {
  readonly method: string;
  /** An Express 5 path. */
  readonly path: string;
  /** `public`, `internal`, `authenticated` or a permission. */
  readonly needs: string;
  readonly summary: string;
  readonly doc?: RouteDoc;
}

/** Finds the documents of routes in a table; see RouteDocs. What parameters in a path are called does not matter. */
export function routeDocFinder(docs: RouteDocs): (route: DocumentedRoute) => RouteDoc | null {
  const known = new Map(Object.entries(docs).map(([key, doc]) => [unnamed(key), doc]));
  return ({ method, path, doc }) => {
    const { base, below } = splitPath(path);
    return (
      doc ??
      known.get(unnamed(`${method} ${path}`)) ??
      (base === '' ? undefined : known.get(unnamed(`${method} ${below}`))) ??
      null
    );
  };
}

function unnamed(key: string): string {
  return key.replaceAll(/:\w+/g, ':');
}

/** The two ways in which clients write the same route: with the version and, older, without. */
export function splitPath(path: string): {
  readonly base: '' | '/api' | '/api/v1';
  readonly below: string;
} {
  if (path.startsWith('/api/v1/')) return { base: '/api/v1', below: path.slice(7) };
  if (path.startsWith('/api/')) return { base: '/api', below: path.slice(4) };
  return { base: '', below: path };
}
