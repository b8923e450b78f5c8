/**
 * Walks what an Express application really serves and compares it with the table of routes that the service declares, so that no route is
 * open by omission: what is mounted must be declared, what is declared must be mounted, what needs somebody must answer 401 to
 * nobody, and all of it must be in the service's API document.
 */

/** A declared route, as far as the audit needs it; the routes of service-kit fit. */
export interface AuditedRoute {
  readonly method: string;
  readonly path: string;
  readonly needs: string;
}

export interface RouteAudit {
  /** The Express application. */
  readonly app: unknown;
  readonly routes: readonly AuditedRoute[];
  /** Where the application listens. */
  readonly baseUrl: string;
}

/** Each fault found, in a sentence; empty when all is well. */
export async function auditRoutes({ app, routes, baseUrl }: RouteAudit): Promise<string[]> {
  const declared = routes.map(lineOf);
  const mounted = mountedRoutes(app);
  const faults = [
    ...mounted
      .filter((line) => !declared.includes(line))
      .map((line) => `${line} is served but not declared`),
    ...declared
      .filter((line) => !mounted.includes(line))
      .map((line) => `${line} is declared but not served`),
    ...declared
      .filter((line, index) => declared.indexOf(line) !== index)
      .map((line) => `${line} is declared twice`),
  ];
  for (const route of routes) faults.push(...(await openFaults(route, baseUrl)));
  const documented = await documentedRoutes(baseUrl);
  const missing = mounted.filter((line) => !documented.has(asDocumented(line)));
  return [...faults, ...missing.map((line) => `${line} is served but not in /openapi.json`)];
}

/** "METHOD /path" of every operation in the service's API document, as it writes paths. */
async function documentedRoutes(baseUrl: string): Promise<ReadonlySet<string>> {
  const response = await fetch(`${baseUrl}/openapi.json`);
  const { paths } = (await response.json()) as { readonly paths: Record<string, object> };
  return new Set(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
}

function asDocumented(line: string): string {
  return line.replaceAll(/\{\/\*(\w+)\}/g, '/{$1}').replaceAll(/:(\w+)/g, '{$1}');
}

/** "METHOD /path" of everything mounted, also through routers that are mounted inside. */
export function mountedRoutes(app: unknown): string[] {
  return layersOf(member(app, 'router')).flatMap((layer) => {
    const route = member(layer, 'route');
    if (route === undefined) {
      // A router inside serves paths below its own, which a layer does not tell; any route in it is a fault.
      return layersOf(member(layer, 'handle')).length === 0 ? [] : ['ANY (a router inside)'];
    }
    const path = String(member(route, 'path'));
    const methods = Object.keys(Object(member(route, 'methods')));
    return methods.map((method) => `${method.toUpperCase()} ${path}`);
  });
}

async function openFaults(route: AuditedRoute, baseUrl: string): Promise<string[]> {
  if (route.needs === 'public') return [];
  const url = baseUrl + examplePath(route.path);
  const response = await fetch(url, { method: route.method });
  await response.arrayBuffer();
  if (response.status === 401) return [];
  return [`${lineOf(route)} needs '${route.needs}' and answers nobody with ${response.status}`];
}

/** A path that a pattern matches: parameters are filled in, optional parts left out. */
function examplePath(pattern: string): string {
  return pattern.replaceAll(/\{[^}]*\}/g, '').replaceAll(/[:*]\w+/g, 'x');
}

function lineOf({ method, path }: AuditedRoute): string {
  return `${method} ${path}`;
}

function member(value: unknown, name: string): unknown {
  return value !== null && (typeof value === 'object' || typeof value === 'function')
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function layersOf(router: unknown): unknown[] {
  const stack = member(router, 'stack');
  return Array.isArray(stack) ? stack : [];
}
