/** The nondeterministic automaton of a pattern. */
import {
  type Assertion,
  parsePattern,
  PatternRefusal,
  type PatternTree,
} from './pattern-syntax.ts';

export type AutomatonNode =
  | { readonly kind: 'match' }
  /** Takes one character of the set with this number. */
  | { readonly kind: 'set'; readonly set: number; readonly next: number }
  | { readonly kind: 'assertion'; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: 'fork'; readonly next: readonly number[] };

export interface Automaton {
  readonly nodes: readonly AutomatonNode[];
  readonly start: number;
  readonly size: number;
  /** The texts of the sets, by number. */
  readonly sets: readonly string[];
}

/** What stands beside a place in the text: its beginning or end, a word character, or another one. */
export type Neighbour = 0 | 1 | 2;
export const EDGE: Neighbour = 0;
export const WORD: Neighbour = 1;
export const NOT_WORD: Neighbour = 2;

const NODES_MAX = 2_000;

/** The automaton of a pattern. Throws a PatternRefusal. */
export function automatonOf(source: string): Automaton {
  return new AutomatonBuilder().build(parsePattern(source));
}

/** Builds from the end to the beginning, so that each node knows its next. */
class AutomatonBuilder {
  readonly #nodes: AutomatonNode[] = [];
  readonly #sets = new Map<string, number>();

  build(tree: PatternTree): Automaton {
    const start = this.#add(tree, this.#node({ kind: 'match' }));
    return { nodes: this.#nodes, start, size: this.#nodes.length, sets: [...this.#sets.keys()] };
  }

  #node(node: AutomatonNode): number {
    if (this.#nodes.length >= NODES_MAX)
      throw new PatternRefusal(
        `with its repetitions written out it has more than ${NODES_MAX} parts; repeat less`,
      );
    return this.#nodes.push(node) - 1;
  }

  #add(tree: PatternTree, next: number): number {
    switch (tree.kind) {
      case 'empty':
        return next;
      case 'set':
        return this.#node({ kind: 'set', set: this.#set(tree.atom), next });
      case 'assertion':
        return this.#node({ kind: 'assertion', assertion: tree.assertion, next });
      case 'sequence':
        return tree.parts.reduceRight((after, part) => this.#add(part, after), next);
      case 'choice':
        return this.#node({ kind: 'fork', next: tree.parts.map((part) => this.#add(part, next)) });
      case 'repeat':
        return this.#repeat(tree, next);
    }
  }

  #repeat({ part, least, most }: Extract<PatternTree, { kind: 'repeat' }>, next: number): number {
    let at = next;
    if (most === Number.POSITIVE_INFINITY) at = this.#loop(part, next);
    else
      for (let times = least; times < most; times++)
        at = this.#node({ kind: 'fork', next: [this.#add(part, at), next] });
    for (let times = 0; times < least; times++) {
      const before = this.#add(part, at);
      // A part without characters is the same any number of times.
      if (before === at) break;
      at = before;
    }
    return at;
  }

  #loop(part: PatternTree, next: number): number {
    const ways = [next];
    const fork = this.#node({ kind: 'fork', next: ways });
    ways.unshift(this.#add(part, fork));
    return fork;
  }

  #set(atom: string): number {
    const known = this.#sets.get(atom);
    if (known !== undefined) return known;
    this.#sets.set(atom, this.#sets.size);
    return this.#sets.size - 1;
  }
}

export interface Closure {
  readonly isMatch: boolean;
  /** The nodes that wait for a character. */
  readonly characters: readonly number[];
}

/** Everything that is reached from some nodes without a character, at a place between these neighbours. */
export function closureOf(
  { nodes }: Automaton,
  from: readonly number[],
  place: { readonly before: Neighbour; readonly after: Neighbour },
): Closure {
  const seen = new Set<number>(from);
  const characters: number[] = [];
  let isMatch = false;
  // A set is walked in the order of entry, and takes more while it is walked.
  for (const index of seen) {
    const node = nodes[index] as AutomatonNode;
    if (node.kind === 'match') isMatch = true;
    else if (node.kind === 'set') characters.push(index);
    else if (node.kind === 'fork') for (const next of node.next) seen.add(next);
    else if (holds(node.assertion, place)) seen.add(node.next);
  }
  return { isMatch, characters };
}

function holds(
  assertion: Assertion,
  { before, after }: { readonly before: Neighbour; readonly after: Neighbour },
): boolean {
  if (assertion === '^') return before === EDGE;
  if (assertion === '$') return after === EDGE;
  const isBoundary = (before === WORD) !== (after === WORD);
  return isBoundary === (assertion === '\\b');
}
