/** An OpenAPI document as the tests read it: its operations one by one, and judges of what they take and answer. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export type Json = Readonly<Record<string, unknown>>;
export type Schema = Json | boolean;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Json;
  readonly example?: string | number | boolean;
}

export interface Content {
  readonly schema?: Json;
  readonly example?: unknown;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, Content> };
  readonly responses: Record<string, { readonly content?: Record<string, Content> }>;
  readonly tags: readonly string[];
  readonly 'x-needs': string;
  readonly 'x-undocumented'?: true;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Json> };
}

/** An operation with its place. */
export interface Placed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/** RFC 3339 but for leap seconds: days that a month does not have are none. */
function isDateTime(text: string): boolean {
  const [, year, month, day] = DATE_TIME.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return date.getUTCDate() === Number(day);
}

const FORMATS = {
  'date-time': isDateTime,
  uuid: /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i,
};

export class ApiDocument {
  readonly document: Document;
  readonly #ajv = new Ajv2020({ strict: false, formats: FORMATS, allErrors: true });
  readonly #judges = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    this.document = document;
    const { schemas } = document.components;
    this.#ajv.addSchema({ $id: 'open', components: { schemas } });
    this.#ajv.addSchema({ $id: 'closed', components: { schemas: closed(schemas) } });
  }

  get operations(): Placed[] {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => {
        return { method: method.toUpperCase(), path, operation };
      }),
    );
  }

  /** What is wrong with a value as an answer: a member that the schema does not know is a fault. Null when nothing is. */
  answerFault(schema: Json, value: unknown): string | null {
    return this.#fault(closed(schema), 'closed', value);
  }

  /** What is wrong with a value as a request. Null when nothing is. */
  requestFault(schema: Json, value: unknown): string | null {
    return this.#fault(schema, 'open', value);
  }

  /** The schema itself where it is a named one. */
  resolved(schema: Json): Json {
    const { $ref } = schema;
    const name = typeof $ref === 'string' ? ($ref.split('/').at(-1) ?? '') : '';
    return this.document.components.schemas[name] ?? schema;
  }

  #fault(schema: Json, root: 'open' | 'closed', value: unknown): string | null {
    const text = JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${root}#/`);
    let judge = this.#judges.get(text);
    if (judge === undefined) {
      judge = this.#ajv.compile(JSON.parse(text) as Json);
      this.#judges.set(text, judge);
    }
    return judge(value) ? null : this.#ajv.errorsText(judge.errors);
  }
}

/** The schema, with no room for members that it does not name. */
function closed<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(closed) as T;
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.fromEntries(
    Object.entries(schema).map(([word, part]) => [word, word === 'enum' ? part : closed(part)]),
  );
  const isOpen = parts['type'] === 'object' && parts['properties'] !== undefined;
  if (isOpen && !('additionalProperties' in parts)) parts['additionalProperties'] = false;
  return parts as T;
}
