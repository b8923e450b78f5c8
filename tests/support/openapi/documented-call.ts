import type { ApiDocument, Json, Parameter, Placed } from './api-document.ts';

/** A request as an operation's document describes it. */
export interface DocumentedCall {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The text or bytes of the body; null = none. */
  readonly body?: string | Uint8Array<ArrayBuffer> | null;
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** The parsed body, where it is JSON. */
  readonly json: Json;
}

/** The request that the document gives as its example: what must be there is there. */
export function exampleCall({ operation, method }: Placed): DocumentedCall {
  const { parameters = [], requestBody } = operation;
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const { example } = content ?? {};
  return {
    path: examplesOf(parameters, (one) => one.in === 'path'),
    query: examplesOf(parameters, (one) => one.in === 'query' && one.required),
    headers: type === undefined || method === 'GET' ? {} : { 'content-type': type },
    body: example === undefined ? null : textOf(example),
  };
}

export function textOf(example: unknown): string {
  return typeof example === 'string' ? example : JSON.stringify(example);
}

function examplesOf(
  parameters: readonly Parameter[],
  isMeant: (parameter: Parameter) => boolean,
): Record<string, string> {
  return Object.fromEntries(
    parameters.filter(isMeant).map(({ name, example }) => [name, String(example ?? name)]),
  );
}

/** Puts several parts of a call together; later ones win. */
export function merged(...calls: readonly DocumentedCall[]): DocumentedCall {
  const last = calls.findLast(({ body }) => body !== undefined);
  return {
    path: Object.assign({}, ...calls.map(({ path }) => path)) as Record<string, string>,
    query: Object.assign({}, ...calls.map(({ query }) => query)) as Record<string, string>,
    headers: Object.assign({}, ...calls.map(({ headers }) => headers)) as Record<string, string>,
    body: last?.body ?? null,
  };
}

/** Sends a call. Of an answer that does not end only the beginning is read. */
export async function send(
  baseUrl: string,
  { method, path }: Placed,
  call: DocumentedCall,
): Promise<Answered> {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(call.path?.[name] ?? name),
  );
  const query = new URLSearchParams(call.query).toString();
  const gone = new AbortController();
  const response = await fetch(`${baseUrl}${filled}${query === '' ? '' : `?${query}`}`, {
    method,
    headers: { ...call.headers },
    body: call.body ?? null,
    signal: gone.signal,
  });
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
  if (type === 'text/event-stream') {
    gone.abort();
    return { status: response.status, type, text: '', json: {} };
  }
  const text = await response.text();
  return { status: response.status, type, text, json: /[/+]json$/.test(type) ? jsonOf(text) : {} };
}

function jsonOf(text: string): Json {
  return JSON.parse(text) as Json;
}

/** What is wrong with an answer by its document; null when nothing is. */
export function answerFault(api: ApiDocument, { operation }: Placed, answered: Answered) {
  const { status, type, text } = answered;
  const documented =
    operation.responses[status] ??
    (status >= 200 && status < 300 ? operation.responses['2XX'] : undefined);
  if (documented === undefined) return `status ${status} is not documented: ${cut(text)}`;
  if (documented.content === undefined) return text === '' ? null : `${status} has a body`;
  const content = documented.content[type];
  if (content === undefined) return `${status} has the type '${type}', which is not documented`;
  if (content.schema === undefined) return null;
  const values = /ndjson/.test(type)
    ? text.split('\n').filter(Boolean).map(jsonOf)
    : [jsonOf(text)];
  for (const value of values) {
    const fault = api.answerFault(content.schema, value);
    if (fault !== null) return `${status}: ${fault}: ${cut(JSON.stringify(value))}`;
  }
  return null;
}

function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
