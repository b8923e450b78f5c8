import { formatRawMembers, rawMembers } from '@allsource/shared/json';

/** A path of names with dots between them, such as `order.amount`. A name that is a number also names an element of an array. */
export class JsonPath {
  readonly text: string;
  readonly #names: readonly string[];

  constructor(text: string) {
    this.text = text;
    this.#names = text.split('.');
  }

  /** The value at this path; undefined where there is none. What every object inherits is not there. */
  in(value: unknown): unknown {
    let at: unknown = value;
    for (const name of this.#names) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
      if (Array.isArray(at) && name === 'length') return undefined;
      at = (at as Record<string, unknown>)[name];
    }
    return at;
  }

  /**
   * The text of an object with the value at this path replaced by other JSON text. Everything else keeps its bytes, but for the space between the members of
   * the objects on the way. Null when the path leads through something that is no object.
   */
  replaceIn(text: string, value: string): string | null {
    return replaced(text, this.#names, value);
  }
}

function replaced(text: string, names: readonly string[], value: string): string | null {
  const [name, ...rest] = names;
  if (name === undefined) return value;
  const members = rawMembers(Buffer.from(text));
  if (members === null) return null;
  const inner = rest.length === 0 ? value : replaced(members.get(name) ?? '{}', rest, value);
  if (inner === null) return null;
  members.set(name, inner);
  return formatRawMembers(members);
}
