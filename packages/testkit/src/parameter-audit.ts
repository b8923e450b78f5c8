/**
 * Calls each route of a running service and notes which query parameters are read on the way, so that none is read that the route's document does not name.
 * For services in this process: the reading is noted in the class that does it.
 */

/** A route with its document, as far as the audit needs it; the routes of service-kit fit. */
export interface ReadingRoute {
  readonly method: string;
  readonly path: string;
  readonly isForwarded?: true;
  readonly doc?: {
    readonly query?: Readonly<Record<string, ParameterExample>>;
    readonly body?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  };
}

interface ParameterExample {
  readonly required?: boolean;
  readonly example?: string | number | boolean;
}

/** What reads parameters: the prototype of `Parameters` of shared/protocol. */
export interface ParameterReader {
  text(name: string): string | null;
  texts(name: string): string[];
  name(name: string): string | null;
  timestamp(name: string): number | null;
}

export interface ParameterAudit {
  readonly reader: ParameterReader;
  readonly routes: readonly ReadingRoute[];
  readonly baseUrl: string;
  /** The key of an administrator. */
  readonly key: string;
}

/** Read where a tenant may be named, on many routes. */
const TENANT = 'tenant_id';

/** Each parameter that a route reads and its document does not name, in a sentence; and how many routes were called. */
export async function auditParameters({ reader, routes, baseUrl, key }: ParameterAudit) {
  const read = new Set<string>();
  const stop = noteReads(reader, read);
  const faults: string[] = [];
  const called = routes.filter(({ doc, isForwarded }) => doc !== undefined && isForwarded !== true);
  try {
    for (const route of called) {
      read.clear();
      await call(route, baseUrl, key);
      const known = new Set([...Object.keys(route.doc?.query ?? {}), TENANT]);
      const unknown = [...read].filter((name) => !known.has(name));
      faults.push(...unknown.map((name) => `${route.method} ${route.path} reads '${name}'`));
    }
  } finally {
    stop();
  }
  return { faults, called: called.length };
}

type Reading = (this: ParameterReader, name: string) => unknown;

function noteReads(reader: ParameterReader, read: Set<string>): () => void {
  const restores = ['text', 'texts', 'name', 'timestamp'].map((method) => {
    const original = Reflect.get(reader, method) as Reading;
    const noting: Reading = function (name) {
      read.add(name);
      return original.call(this, name);
    };
    Reflect.set(reader, method, noting);
    return () => void Reflect.set(reader, method, original);
  });
  return () => {
    for (const restore of restores) restore();
  };
}

async function call({ method, path, doc }: ReadingRoute, baseUrl: string, key: string) {
  const query = new URLSearchParams();
  for (const [name, { required, example }] of Object.entries(doc?.query ?? {}))
    if (required === true) query.set(name, String(example));
  const body = Object.values(doc?.body?.content ?? {})[0]?.example;
  const gone = new AbortController();
  const filled = path.replaceAll(/\{[^}]*\}/g, '').replaceAll(/[:*]\w+/g, 'x');
  const response = await fetch(`${baseUrl}${filled}?${query.toString()}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: gone.signal,
  });
  // A stream may not end by itself.
  if (/event-stream|frames/.test(response.headers.get('content-type') ?? '')) gone.abort();
  else await response.arrayBuffer();
}
