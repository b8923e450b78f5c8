/** The two ways in which clients write the same route: with the version and, older, without. */
export const API_BASES = ['/api/v1', '/api'] as const;

/** The path and query of a request, at the versioned path that the services behind know. */
export function versionedPath(originalUrl: string): string {
  const target = originalUrl.startsWith('/') ? originalUrl : pathOfAbsolute(originalUrl);
  return target.replace(/^\/api\/(?!v1\/)/i, '/api/v1/');
}

// A request line may carry a whole URL; only what stands behind the host names a route.
function pathOfAbsolute(target: string): string {
  const { pathname, search } = new URL(target, 'http://gateway');
  return pathname + search;
}
