/**
 * Tells from the bytes of a JSON text that its value fits a schema, without parsing it. It says yes or nothing: whatever it does not recognize at once (an escape in a name, an
 * exponent, a member twice, a value that does not fit) is left to the compiled schema, which judges the parsed value and says what is wrong. So most events cost their writer one
 * walk over their bytes, and there is one place only that refuses.
 *
 * The text has to be JSON already, as what core has scanned is. A walk looks at each byte a bounded number of times: the keywords taken here never lead two schemas to one value, so
 * it needs no budget of steps. A schema with any other keyword has no byte check at all.
 */
import {
  type JsonObject,
  keyword,
  type SchemaDocument,
  type SchemaPart,
} from '../schema-document.ts';
import { arrayWalk, NAMED_MEMBERS_MAX, type NamedMember, objectWalk } from './byte-containers.ts';
import { listedTextWalk, numberWalk, textWalk } from './byte-scalars.ts';
import {
  anyValue,
  type ByteWalk,
  LETTER_F,
  LETTER_N,
  LETTER_T,
  NO_FIT,
  noValue,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  wordEnd,
} from './byte-walk.ts';

/** Keywords that judge nothing. */
const NOTES =
  '$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly format'.split(
    ' ',
  );
const JUDGES =
  'type enum const minLength maxLength minimum exclusiveMinimum maximum exclusiveMaximum properties required additionalProperties items minItems maxItems'.split(
    ' ',
  );
const KNOWN = new Set([...NOTES, ...JUDGES]);
/** Longer lists cost more to search than the parsed value costs. */
const LISTED_MAX = 32;

/** True when the text surely fits. */
export type ByteCheck = (bytes: Uint8Array, start: number, end: number) => boolean;

/** The byte check of a schema that compiles; null when it uses anything that is not told from bytes. */
export function byteCheckOf(document: SchemaDocument): ByteCheck | null {
  const compiler = new ByteCompiler(document);
  const walk = compiler.walk(document.root);
  return compiler.isWhole ? (bytes, start, end) => walk(bytes, start) === end : null;
}

/** How values of each kind fit; null for a kind that does not. */
interface KindWalks {
  readonly text: ByteWalk | null;
  readonly number: ByteWalk | null;
  readonly object: ByteWalk | null;
  readonly array: ByteWalk | null;
  readonly isBoolean: boolean;
  readonly isNull: boolean;
}

class ByteCompiler {
  readonly #document: SchemaDocument;
  readonly #walks = new Map<object, ByteWalk>();
  #isWhole = true;

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  /** False when a schema was met that cannot be told from bytes. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  walk(part: SchemaPart): ByteWalk {
    const { schema } = part;
    if (schema === true) return anyValue;
    if (schema === false) return noValue;
    const known = this.#walks.get(schema);
    if (known !== undefined) return known;
    // A schema that refers to itself finds the walk that is being made.
    const late: { walk: ByteWalk } = { walk: noValue };
    this.#walks.set(schema, (bytes, start) => late.walk(bytes, start));
    late.walk = this.#compile(part, schema);
    this.#walks.set(schema, late.walk);
    return late.walk;
  }

  #compile(part: SchemaPart, schema: JsonObject): ByteWalk {
    const reference = keyword(schema, '$ref');
    const others = Object.keys(schema).filter((name) => name !== '$ref' && !NOTES.includes(name));
    if (typeof reference === 'string') {
      if (others.length > 0 && this.#document.dialect !== 'draft-07') return this.#unknown();
      return this.walk(this.#document.resolve(reference, part));
    }
    if (!others.every((name) => KNOWN.has(name))) return this.#unknown();
    const types = typesOf(schema);
    const takes = (type: string) => types === null || types.has(type);
    const listed = listedOf(schema);
    if (listed !== undefined) return this.#listed(listed, schema, takes);
    const isNumber = takes('number');
    return byKind({
      text: takes('string') ? textWalk(bounds(schema, 'minLength', 'maxLength')) : null,
      number: isNumber || takes('integer') ? numbers(schema, !isNumber) : null,
      object: takes('object') ? this.#object(part, schema) : null,
      array: takes('array') ? this.#array(part, schema) : null,
      isBoolean: takes('boolean'),
      isNull: takes('null'),
    });
  }

  #unknown(): ByteWalk {
    this.#isWhole = false;
    return noValue;
  }

  /** A list of allowed values: of texts, and null. */
  #listed(
    values: readonly unknown[],
    schema: JsonObject,
    takes: (type: string) => boolean,
  ): ByteWalk {
    const texts = values.filter((value) => typeof value === 'string');
    const isNull = values.includes(null);
    const isTold =
      texts.length + (isNull ? 1 : 0) === values.length &&
      values.length <= LISTED_MAX &&
      texts.every(isPlain) &&
      keyword(schema, 'minLength') === undefined &&
      keyword(schema, 'maxLength') === undefined;
    if (!isTold) return this.#unknown();
    return byKind({
      text: takes('string') ? listedTextWalk(texts.map((text) => Buffer.from(text))) : null,
      number: null,
      object: null,
      array: null,
      isBoolean: false,
      isNull: isNull && takes('null'),
    });
  }

  #object(part: SchemaPart, schema: JsonObject): ByteWalk {
    const properties = Object.keys(keyword(schema, 'properties') ?? {});
    const required = new Set((keyword(schema, 'required') ?? []) as string[]);
    const others =
      keyword(schema, 'additionalProperties') === undefined
        ? anyValue
        : this.walk(this.#document.within(part, ['additionalProperties']));
    const named = [...new Set([...properties, ...required])].map(
      (name): NamedMember & { text: string } => ({
        text: name,
        name: Buffer.from(name),
        walk: properties.includes(name)
          ? this.walk(this.#document.within(part, ['properties', name]))
          : others,
        isRequired: required.has(name),
      }),
    );
    const isTold = named.length <= NAMED_MEMBERS_MAX && named.every(({ text }) => isPlain(text));
    return isTold ? objectWalk({ named, others }) : this.#unknown();
  }

  #array(part: SchemaPart, schema: JsonObject): ByteWalk {
    const items = keyword(schema, 'items');
    if (Array.isArray(items)) return this.#unknown();
    return arrayWalk({
      ...bounds(schema, 'minItems', 'maxItems'),
      items: items === undefined ? anyValue : this.walk(this.#document.within(part, ['items'])),
    });
  }
}

/** True for a text that stands in JSON as it is in UTF-8: what needs an escape there never does. */
function isPlain(text: string): boolean {
  return text.isWellFormed();
}

function typesOf(schema: JsonObject): ReadonlySet<string> | null {
  const type = keyword(schema, 'type');
  return type === undefined ? null : new Set([type].flat() as string[]);
}

function listedOf(schema: JsonObject): readonly unknown[] | undefined {
  const constant = keyword(schema, 'const');
  const listed = keyword(schema, 'enum') as unknown[] | undefined;
  if (constant === undefined) return listed;
  return listed === undefined ? [constant] : listed.filter((value) => value === constant);
}

function bounds(schema: JsonObject, least: string, most: string): { least: number; most: number } {
  return {
    least: (keyword(schema, least) ?? 0) as number,
    most: (keyword(schema, most) ?? Number.POSITIVE_INFINITY) as number,
  };
}

function numbers(schema: JsonObject, isInteger: boolean): ByteWalk {
  const bound = (name: string, otherwise: number) => (keyword(schema, name) ?? otherwise) as number;
  return numberWalk({
    least: bound('minimum', Number.NEGATIVE_INFINITY),
    above: bound('exclusiveMinimum', Number.NEGATIVE_INFINITY),
    most: bound('maximum', Number.POSITIVE_INFINITY),
    under: bound('exclusiveMaximum', Number.POSITIVE_INFINITY),
    isInteger,
  });
}

function byKind({ text, number, object, array, isBoolean, isNull }: KindWalks): ByteWalk {
  const isTextOnly = number === null && object === null && array === null && !isBoolean && !isNull;
  if (isTextOnly && text !== null)
    return (bytes, start) => (bytes[start] === QUOTE ? text(bytes, start) : NO_FIT);
  return (bytes, start) => {
    switch (bytes[start] as number) {
      case QUOTE:
        return text === null ? NO_FIT : text(bytes, start);
      case OPEN_OBJECT:
        return object === null ? NO_FIT : object(bytes, start);
      case OPEN_ARRAY:
        return array === null ? NO_FIT : array(bytes, start);
      case LETTER_T:
      case LETTER_F:
        return isBoolean ? wordEnd(bytes, start) : NO_FIT;
      case LETTER_N:
        return isNull ? wordEnd(bytes, start) : NO_FIT;
      default:
        return number === null ? NO_FIT : number(bytes, start);
    }
  };
}
