/**
 * The parsed JSON of an answer, an event or a line. Tests look into values of many shapes, and a wrong one fails the expectation, so members are asked for without
 * a check before. This is the only `any` there is.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

/** What a service has answered, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text parsed; null where it is empty or its content type is not that of one JSON value. */
  readonly body: Json;
}

/** Reads an answer to its end. */
export async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await response.text();
  return { status, headers, text, body: jsonBody(text, headers.get('content-type')) };
}

/** The value of a body; null where it is empty or its content type is not that of one JSON value. */
export function jsonBody(text: string, contentType: string | null | undefined): Json {
  const isJson = /[/+]json\b/.test(contentType ?? '');
  return isJson && text !== '' ? JSON.parse(text) : null;
}

/** The body of a request: a text as it is, anything else printed as JSON. Nothing for nothing. */
export function requestBody(body: unknown): { readonly body?: string } {
  if (body === undefined) return {};
  return { body: typeof body === 'string' ? body : JSON.stringify(body) };
}
