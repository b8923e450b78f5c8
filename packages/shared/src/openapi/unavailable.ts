import type { RouteDoc } from './route-doc.ts';

/** The document of a route that is known and not served. */
export const NOT_AVAILABLE_DOC: RouteDoc = {
  tag: 'Not available',
  tenant: false,
  answers: {},
  errors: ['not_available'],
};
