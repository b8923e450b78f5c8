/** The page at /docs: an OpenAPI document of ours as one HTML text, without a script, an image or anything to load. */
import { createHash } from 'node:crypto';
import type { Steps } from '@allsource/shared/lang';
import type { OpenApiDocument } from '@allsource/shared/openapi';
import { PAGE_STYLE } from './docs-style.ts';
import { type Html, html, inline, prose } from './html.ts';
import { schemaWords } from './schema-words.ts';

type Json = Readonly<Record<string, unknown>>;

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly id: string;
  readonly facts: Json;
}

export interface DocsPage {
  readonly html: string;
  /** The hash by which a Content-Security-Policy names the page's style sheet. */
  readonly styleHash: string;
}

/** Writes the page, an operation or a shape at a time. */
export function* docsPageSteps(document: OpenApiDocument): Steps<DocsPage> {
  const info = objectOf(document['info']);
  const operations = operationsOf(document);
  const tags = listOf(document['tags']);
  const chapters: Html[] = [];
  for (const tag of tags) chapters.push(yield* chapter(tag, operations));
  const shapes = yield* eachInTurn(shapesOf(document), shape);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${textOf(info['title'])}</title><style>${PAGE_STYLE}</style></head><body>
<header><h1>${textOf(info['title'])} <small>${textOf(info['version'])}</small></h1>
${prose(textOf(info['description']))}
<p>The same for programs: <a href="/openapi.json">/openapi.json</a>, OpenAPI 3.1.</p></header>
<nav>${tags.map((tag) => html`<a href="#tag-${textOf(tag['name'])}">${textOf(tag['name'])}</a> `)}<a href="#schemas">Shapes</a></nav>
<main>${chapters}
<h2 id="schemas">Shapes</h2>${shapes}</main></body></html>
`;
  const hash = createHash('sha256').update(PAGE_STYLE.text).digest('base64');
  return { html: page.text, styleHash: `sha256-${hash}` };
}

function operationsOf(document: OpenApiDocument): Operation[] {
  return Object.entries(objectOf(document['paths'])).flatMap(([path, item]) =>
    Object.entries(objectOf(item)).map(([method, facts]) => {
      const found = objectOf(facts);
      const id = textOf(found['operationId']);
      return { method: method.toUpperCase(), path, id, facts: found };
    }),
  );
}

/** Makes one of each, with a step after every one. */
function* eachInTurn<T>(items: readonly T[], make: (item: T) => Html): Steps<Html[]> {
  const made: Html[] = [];
  for (const item of items) {
    made.push(make(item));
    yield;
  }
  return made;
}

function* chapter(tag: Json, all: readonly Operation[]): Steps<Html> {
  const name = textOf(tag['name']);
  const operations = all.filter(({ facts }) => textsOf(facts['tags']).includes(name));
  const older = operations.filter(({ path }) => isOlder(path));
  const shown = operations.filter(({ path }) => !isOlder(path));
  const parts = yield* eachInTurn(shown, operationPart);
  return html`<section><h2 id="tag-${name}">${name}</h2>${prose(textOf(tag['description']))}
${parts}${older.length === 0 ? html`` : olderPart(older)}</section>`;
}

/** Older clients leave the version out; those routes are listed, and the document has them whole. */
function isOlder(path: string): boolean {
  return path.startsWith('/api/') && !path.startsWith('/api/v1/');
}

function olderPart(operations: readonly Operation[]): Html {
  const lines = operations.map(({ method, path }) => html`<li><code>${method} ${path}</code></li>`);
  return html`<details><summary>Without the version, for older clients: ${operations.length}</summary><ul>${lines}</ul></details>`;
}

function operationPart(operation: Operation): Html {
  const { method, path, id, facts } = operation;
  const body = objectOf(facts['requestBody']);
  return html`<details id="${id}"><summary><b class="${method.toLowerCase()}">${method}</b> <code>${path}</code> ${inline(textOf(facts['summary']))}</summary>
${prose(textOf(facts['description']))}${parametersPart(listOf(facts['parameters']))}
${Object.keys(body).length === 0 ? html`` : html`<h4>Body${body['required'] === true ? '' : ', which may be left out'}</h4>${contentParts(body)}`}
<h4>Answers</h4>${Object.entries(objectOf(facts['responses'])).map(([status, answer]) => answerPart(status, objectOf(answer)))}
<h4>Try it</h4><pre>${exampleCall(operation)}</pre></details>`;
}

function parametersPart(parameters: readonly Json[]): Html {
  if (parameters.length === 0) return html``;
  const rows = parameters.map((parameter) => {
    const place = `${textOf(parameter['in'])}${parameter['required'] === true ? ', required' : ''}`;
    return html`<tr><td><code>${textOf(parameter['name'])}</code></td><td>${place}</td><td>${schemaWords(parameter['schema'])}</td><td>${inline(textOf(parameter['description']))}</td></tr>`;
  });
  return html`<h4>Parameters</h4><table>${rows}</table>`;
}

function answerPart(status: string, answer: Json): Html {
  const isRefusal = /^[45]/.test(status);
  const description = textOf(answer['description']);
  if (isRefusal)
    return html`<p><b>${status}</b> ${inline(description.replaceAll('\n\n', ' '))}</p>`;
  return html`<p><b>${status}</b> ${inline(description)}</p>${contentParts(answer)}`;
}

function contentParts(holder: Json): Html[] {
  return Object.entries(objectOf(holder['content'])).map(([type, content]) => {
    const { schema, example } = objectOf(content);
    const form = schema === undefined ? html`` : html`<pre>${schemaWords(schema)}</pre>`;
    const shown = example === undefined ? html`` : html`<pre>${exampleText(example)}</pre>`;
    return html`<p><code>${type}</code></p>${form}${shown}`;
  });
}

function exampleText(example: unknown): string {
  return typeof example === 'string' ? example : JSON.stringify(example, undefined, 2);
}

/** A call for a shell that works on a store that has what the example names. */
function exampleCall({ method, path, facts }: Operation): string {
  const parameters = listOf(facts['parameters']);
  const example = (name: string) => {
    const found = parameters.find((parameter) => parameter['name'] === name);
    const shown = found?.['example'] ?? name;
    return encodeURIComponent(typeof shown === 'string' ? shown : JSON.stringify(shown));
  };
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => example(name));
  const query = parameters
    .filter((parameter) => parameter['in'] === 'query' && parameter['required'] === true)
    .map(({ name }) => `${textOf(name)}=${example(textOf(name))}`);
  const [type, content] =
    Object.entries(objectOf(objectOf(facts['requestBody'])['content']))[0] ?? [];
  const body = objectOf(content)['example'];
  const lines = [
    `curl${method === 'GET' ? '' : ` -X ${method}`} "$ALLSOURCE_URL${filled}${query.length === 0 ? '' : `?${query.join('&')}`}"`,
    ...(listOf(facts['security']).length === 0
      ? []
      : ['-H "Authorization: Bearer $ALLSOURCE_API_KEY"']),
    ...(body === undefined
      ? []
      : [
          `-H 'Content-Type: ${type}'`,
          `-d '${typeof body === 'string' ? body.trimEnd() : JSON.stringify(body)}'`,
        ]),
  ];
  return lines.join(' \\\n  ');
}

type Shape = readonly [name: string, schema: unknown];

function shapesOf(document: OpenApiDocument): Shape[] {
  return Object.entries(objectOf(objectOf(document['components'])['schemas']));
}

function shape([name, schema]: Shape): Html {
  return html`<h3 id="schema-${name}">${name}</h3>${prose(textOf(objectOf(schema)['description']))}<pre>${schemaWords(schema)}</pre>`;
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
