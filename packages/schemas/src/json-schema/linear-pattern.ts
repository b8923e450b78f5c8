/**
 * Regular expressions for patterns of strangers: matching takes time in proportion to the text, whatever the pattern. The syntax is that of ECMAScript with
 * the `u` flag, as JSON Schema asks for, but for what cannot be matched in linear time: look-around and back-references are refused.
 *
 * The pattern becomes a nondeterministic automaton (pattern-automaton.ts), and while texts are matched the deterministic one grows from it, state by
 * state. How many states are kept is bounded; a pattern that needs more makes them again, and pays for that out of the run's steps.
 */
import type { ValidationRun } from './validation-run.ts';
import {
  type Automaton,
  automatonOf,
  closureOf,
  EDGE,
  type Neighbour,
  NOT_WORD,
  WORD,
} from './pattern-automaton.ts';
import { PatternAlphabet } from './pattern-alphabet.ts';

export { PatternRefusal } from './pattern-syntax.ts';

/** Characters that one step of the run pays for, while the deterministic automaton has the way. */
const CHARACTERS_PER_STEP = 2;

/** A state of the deterministic automaton: a set of states of the other one, and what the character before was. */
interface State {
  readonly members: readonly number[];
  readonly before: Neighbour;
  readonly key: string;
  /** Whether other states may lead to it: one that is not kept is made anew each time. */
  readonly isKept: boolean;
  /** By character class: the next state, or `MATCHED`. */
  readonly next: (State | typeof MATCHED | undefined)[];
  /** Whether the text matches if it ends here; null: not known. */
  endsWell: boolean | null;
}

const MATCHED = 'matched';

/** What the patterns of one schema may keep together, counted by members of states. */
export class PatternMemory {
  #left = 10_000;

  take(members: number): boolean {
    if (members > this.#left) return false;
    this.#left -= members;
    return true;
  }

  giveBack(members: number): void {
    this.#left += members;
  }
}

export class LinearPattern {
  readonly #automaton: Automaton;
  readonly #alphabet: PatternAlphabet;
  readonly #states = new Map<string, State>();
  readonly #isAnchored: boolean;
  readonly #memory: PatternMemory;
  #keptMembers = 0;
  #first: State;

  /** Throws a PatternRefusal that says what is wrong with the pattern. */
  constructor(source: string, memory: PatternMemory = new PatternMemory()) {
    this.#memory = memory;
    this.#automaton = automatonOf(source);
    this.#alphabet = new PatternAlphabet(this.#automaton.sets);
    this.#isAnchored = isAnchored(this.#automaton);
    this.#first = this.#state([this.#automaton.start], EDGE);
  }

  /** States of the automaton: what the pattern costs at most for each character. */
  get size(): number {
    return this.#automaton.size;
  }

  /** True when the pattern matches anywhere in the text. Throws a BudgetSpentError. */
  matches(text: string, run: ValidationRun): boolean {
    run.spend(1 + text.length / CHARACTERS_PER_STEP);
    let state = this.#first;
    for (let at = 0; at < text.length; at++) {
      let character = text.charCodeAt(at);
      if (character >= 0xd800 && character < 0xdc00) {
        character = text.codePointAt(at) as number;
        if (character > 0xffff) at++;
      }
      const letter = this.#alphabet.classOf(character, run);
      const next = state.next[letter] ?? this.#grow(state, letter, run);
      if (next === MATCHED) return true;
      if (next.members.length === 0) return false;
      state = next;
    }
    state.endsWell ??= this.#closure(state, EDGE, run).isMatch;
    return state.endsWell;
  }

  #closure(state: State, after: Neighbour, run: ValidationRun) {
    run.spend(this.#automaton.size * 5);
    return closureOf(this.#automaton, state.members, { before: state.before, after });
  }

  #grow(state: State, letter: number, run: ValidationRun): State | typeof MATCHED {
    const after = this.#alphabet.isWord(letter) ? WORD : NOT_WORD;
    const { isMatch, characters } = this.#closure(state, after, run);
    const next = isMatch ? MATCHED : this.#follow(characters, letter, after);
    if (next === MATCHED || next.isKept) state.next[letter] = next;
    return next;
  }

  #follow(characters: readonly number[], letter: number, before: Neighbour): State {
    const { nodes, start } = this.#automaton;
    const members = new Set<number>(this.#isAnchored ? [] : [start]);
    for (const index of characters) {
      const node = nodes[index];
      if (node?.kind === 'set' && this.#alphabet.has(node.set, letter)) members.add(node.next);
    }
    return this.#state(
      [...members].sort((a, b) => a - b),
      before,
    );
  }

  #state(members: readonly number[], before: Neighbour): State {
    const key = `${before}:${members.join()}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const isKept = this.#makesRoom(members.length + 1);
    const state: State = { members, before, key, isKept, next: [], endsWell: null };
    if (isKept) this.#states.set(key, state);
    return state;
  }

  #makesRoom(members: number): boolean {
    if (!this.#memory.take(members)) {
      this.#forgetStates();
      if (!this.#memory.take(members)) return false;
    }
    this.#keptMembers += members;
    return true;
  }

  // What still refers to the states of before lives on until it is made anew; only the first one has to be found again.
  #forgetStates(): void {
    this.#states.clear();
    this.#memory.giveBack(this.#keptMembers);
    this.#keptMembers = 0;
    this.#first = { ...this.#first, next: [], endsWell: null };
  }
}

/** True when nothing can match that does not begin where the text does. */
function isAnchored(automaton: Automaton): boolean {
  return [WORD, NOT_WORD].every((before) =>
    [WORD, NOT_WORD, EDGE].every((after) => {
      const closure = closureOf(automaton, [automaton.start], { before, after });
      return !closure.isMatch && closure.characters.length === 0;
    }),
  );
}
