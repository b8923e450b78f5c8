/**
 * A JSON value as it was sent, opened only on the way to what is changed. What nothing is changed in is printed as the text that it was, so numbers keep their digits and
 * a payload that no mapping touches keeps its bytes.
 */
import { JsonScanner, visitRawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { UpcastFault } from './mapping-run.ts';

export type RawKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

export class RawValue {
  readonly #text: string;
  #members: Map<string, RawValue> | null = null;
  #items: RawValue[] | null = null;
  #isChanged = false;

  /** `text` must be valid JSON without white space around it. */
  constructor(text: string) {
    this.#text = text;
  }

  get kind(): RawKind {
    const first = this.#text[0];
    if (first === '{') return 'object';
    if (first === '[') return 'array';
    if (first === '"') return 'string';
    if (first === 't' || first === 'f') return 'boolean';
    return first === 'n' ? 'null' : 'number';
  }

  /** Characters of the text that was sent. */
  get length(): number {
    return this.#text.length;
  }

  /** True when its members or items have been looked at. */
  get isOpen(): boolean {
    return this.#members !== null || this.#items !== null;
  }

  /** The members of an object, the last of each name; null for anything else. */
  members(): ReadonlyMap<string, RawValue> | null {
    return this.#openObject();
  }

  /** The items of an array; null for anything else. */
  items(): readonly RawValue[] | null {
    return this.#openArray();
  }

  /** Sets a member of an object, or an item that an array has. */
  set(token: string, value: RawValue): void {
    this.#isChanged = true;
    if (this.kind === 'object') this.#openObject()?.set(token, value);
    else this.#openArray()?.splice(Number(token), 1, value);
  }

  /** Takes a member or an item out. */
  remove(token: string): void {
    this.#isChanged = true;
    if (this.kind === 'object') this.#openObject()?.delete(token);
    else this.#openArray()?.splice(Number(token), 1);
  }

  /** The text, with what was changed. Throws an {@link UpcastFault} where that nests deeper than a payload may. */
  print(depth = 1): string {
    if (!this.#hasChanged(depth)) return this.#text;
    const inner = depth + 1;
    if (this.#items !== null) return `[${this.#items.map((item) => item.print(inner)).join(',')}]`;
    const parts: string[] = [];
    for (const [name, value] of this.#members ?? [])
      parts.push(`${JSON.stringify(name)}:${value.print(inner)}`);
    return `{${parts.join(',')}}`;
  }

  #hasChanged(depth: number): boolean {
    if (depth > LIMITS.jsonDepthMax + 1)
      throw new UpcastFault(`the result nests deeper than ${LIMITS.jsonDepthMax} levels`);
    if (this.#isChanged) return true;
    const inner = this.#items ?? this.#members?.values() ?? [];
    for (const value of inner) if (value.#hasChanged(depth + 1)) return true;
    return false;
  }

  #openObject(): Map<string, RawValue> | null {
    if (this.#members !== null || this.kind !== 'object') return this.#members;
    const members = new Map<string, RawValue>();
    visitRawMembers(Buffer.from(this.#text), (name, value) =>
      members.set(name, new RawValue(value)),
    );
    this.#members = members;
    return members;
  }

  #openArray(): RawValue[] | null {
    if (this.#items !== null || this.kind !== 'array') return this.#items;
    const items: RawValue[] = [];
    const bytes = Buffer.from(this.#text);
    const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
    scanner.visitArray(0, () => {
      const start = scanner.at;
      scanner.skipValue(1);
      items.push(new RawValue(bytes.toString('utf8', start, scanner.at)));
    });
    this.#items = items;
    return items;
  }
}
