/** Reads an ECMAScript pattern into a tree. What an atom means is left to the language's own regular expressions, which are asked about one character at a time. */

/** Why a pattern is not taken; the message ends a sentence. */
export class PatternRefusal extends Error {
  override readonly name = 'PatternRefusal';
}

export type PatternTree =
  | { readonly kind: 'empty' }
  /** One character out of a set; `atom` is its text in the pattern. */
  | { readonly kind: 'set'; readonly atom: string }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternTree[] }
  | {
      readonly kind: 'repeat';
      readonly part: PatternTree;
      readonly least: number;
      /** Infinity: without an end. */
      readonly most: number;
    };
export type Assertion = '^' | '$' | '\\b' | '\\B';

const PATTERN_LENGTH_MAX = 1_024;
const ESCAPE =
  /\\(?:u\{[0-9a-fA-F]+\}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[pP]\{[^}]*\}|[^])/uy;
const CLASS = /\[(?:[^\]\\]|\\[^])*\]/uy;
const BRACES = /\{(\d+)(?:(,)(\d*))?\}/y;

/** The tree of a pattern. Throws a PatternRefusal. */
export function parsePattern(source: string): PatternTree {
  if (source.length > PATTERN_LENGTH_MAX)
    throw new PatternRefusal(
      `it has ${source.length} characters; at most ${PATTERN_LENGTH_MAX} are allowed`,
    );
  try {
    // Nothing is run: this only says whether the syntax is good.
    RegExp(source, 'u');
  } catch (error) {
    throw new PatternRefusal((error as Error).message);
  }
  return new PatternReader(source).read();
}

/** Reads what is known to be good syntax. */
class PatternReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  read(): PatternTree {
    return this.#choice();
  }

  #choice(): PatternTree {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as PatternTree) : { kind: 'choice', parts };
  }

  #sequence(): PatternTree {
    const parts: PatternTree[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at] as string))
      parts.push(this.#repeated(this.#atom()));
    return parts.length === 1 ? (parts[0] as PatternTree) : { kind: 'sequence', parts };
  }

  #repeated(part: PatternTree): PatternTree {
    const times = this.#times();
    if (times === null) return part;
    // Lazy or greedy makes no difference to whether there is a match.
    this.#take('?');
    return { kind: 'repeat', part, ...times };
  }

  #times(): { least: number; most: number } | null {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { least: 0, most: 1 };
    const braces = this.#match(BRACES);
    if (braces === null) return null;
    const [, least, comma, most] = braces;
    if (comma === undefined) return { least: Number(least), most: Number(least) };
    return { least: Number(least), most: most === '' ? Number.POSITIVE_INFINITY : Number(most) };
  }

  #atom(): PatternTree {
    const character = this.#source[this.#at];
    if (character === '(') return this.#group();
    if (this.#take('^')) return { kind: 'assertion', assertion: '^' };
    if (this.#take('$')) return { kind: 'assertion', assertion: '$' };
    if (character === '\\') return this.#escape();
    if (character === '[')
      return { kind: 'set', atom: (this.#match(CLASS) as string[])[0] as string };
    const atom = String.fromCodePoint(this.#source.codePointAt(this.#at) as number);
    this.#at += atom.length;
    return { kind: 'set', atom };
  }

  #group(): PatternTree {
    this.#at++;
    if (this.#take('?')) this.#groupKind();
    const inner = this.#choice();
    this.#take(')');
    return inner;
  }

  #groupKind(): void {
    if (this.#take(':')) return;
    const name = this.#match(/<([^=!>][^>]*)>/y);
    if (name === null)
      throw new PatternRefusal(
        `it has '(?${this.#source.slice(this.#at, this.#at + 2)}…' at character ${this.#at}: look-around and modifiers cannot be matched in linear time and are not allowed`,
      );
  }

  #escape(): PatternTree {
    const atom = (this.#match(ESCAPE) as string[])[0] as string;
    if (atom === '\\b' || atom === '\\B') return { kind: 'assertion', assertion: atom };
    if (/^\\[1-9k]$/.test(atom))
      throw new PatternRefusal(
        `it has a back-reference (${atom}) at character ${this.#at}, which cannot be matched in linear time and is not allowed`,
      );
    return { kind: 'set', atom };
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#source);
    if (match !== null) this.#at += match[0].length;
    return match;
  }
}
