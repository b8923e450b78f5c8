import { pathOfTarget } from '@allsource/service-kit/forward';

/** The two ways in which clients write the same route: with the version and, older, without. */
export const API_BASES = ['/api/v1', '/api'] as const;

/** The path and query of a request, at the versioned path that the services behind know. */
export function versionedPath(originalUrl: string): string {
  return pathOfTarget(originalUrl).replace(/^\/api\/(?!v1\/)/i, '/api/v1/');
}
