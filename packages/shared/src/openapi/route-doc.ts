/** What a route's document says: enough to write its part of an OpenAPI document, to check its parameters, and to call it in a test. */
import type { ErrorCode } from '../errors/catalogue.ts';
import type { JsonSchema } from './json-schema.ts';

/** The chapters of the documents. */
export const TAGS = {
  Events: 'Appending events and reading them.',
  Live: 'Events as they come, and durable consumers.',
  Entities: 'Entities, their states and their snapshots.',
  Projections: 'Projections of the store and of its clients.',
  Pipelines: 'Pipelines over events.',
  Analytics: 'Counts and statistics over time, by type and by entity.',
  Schemas: 'Schemas of event types, and what a tenant does about payloads that do not fit.',
  Replay: 'Replays into projections.',
  Parquet: 'The Parquet files of a tenant and their compaction.',
  Access: 'Tenants, keys, and who one is.',
  Operations: 'What operators do with the store.',
  Health: 'Health, metrics and figures.',
  Internal: 'For the services of the store among themselves, by the internal token.',
  'Not available':
    'Routes of AllSource that this store does not serve. They are known, so that a client is told so instead of taking a 404 for something missing.',
} as const;

export type Tag = keyof typeof TAGS;

/** A parameter of the query, the path or the headers. The example is one that works. */
export interface ParameterDoc {
  readonly description: string;
  readonly schema: JsonSchema;
  readonly required?: boolean;
  readonly example?: string | number | boolean;
  /** The sentence that refuses a word that is not one of the schema's, where existing clients know another than the usual. */
  readonly refusal?: (value: string) => string;
}

/** A body by its media type. JSON without a schema is any JSON; other types need none. */
export interface ContentDoc {
  readonly schema?: JsonSchema;
  readonly example?: unknown;
}

export interface BodyDoc {
  readonly description?: string;
  /** A body that may be left out. */
  readonly isOptional?: boolean;
  readonly content: Readonly<Record<string, ContentDoc>>;
}

export interface AnswerDoc {
  readonly description: string;
  /** Left out where the answer has no body. */
  readonly content?: Readonly<Record<string, ContentDoc>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RouteDoc {
  /** The operation's name in code that is made from the document. Stable: it is never changed. Made of method and path when left out. */
  readonly id?: string;
  readonly tag: Tag;
  readonly description?: string;
  /** False where a `tenant_id` in the query means nothing. Routes that are public or internal never have one. */
  readonly tenant?: boolean;
  readonly path?: Readonly<Record<string, ParameterDoc>>;
  readonly query?: Readonly<Record<string, ParameterDoc>>;
  readonly headers?: Readonly<Record<string, ParameterDoc>>;
  readonly body?: BodyDoc;
  /** By status; `2XX` where another service chooses. */
  readonly answers: Readonly<Record<string, AnswerDoc>>;
  /** What it refuses, beyond what every route of its kind does. */
  readonly errors?: readonly ErrorCode[];
}

/** Documents by `METHOD /path`. A path below the version (`/events`) stands for the route on every service and below both bases; a whole path wins over it. */
export type RouteDocs = Readonly<Record<string, RouteDoc>>;

/** An answer in JSON. */
export function answer(description: string, schema: JsonSchema, example?: unknown): AnswerDoc {
  return {
    description,
    content: {
      'application/json': { schema, ...(example === undefined ? {} : { example }) },
    },
  };
}

/** A body in JSON, with an example that works. */
export function body(schema: JsonSchema, example: unknown, isOptional = false): BodyDoc {
  return { isOptional, content: { 'application/json': { schema, example } } };
}
