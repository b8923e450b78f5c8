/**
 * The operations of a mapping. Each names places by JSON pointers below the payload; `*` is each item of an array. Places of one mapping that have `*` share what stands
 * up to the last one, so that it is clear which item goes where. A place that is missing is left alone: whether it may be missing is said by the schema
 * that the result is held against. Nothing is overwritten but by `constant`.
 */
import { UpcastFault, type MappingRun } from './mapping-run.ts';
import { invalidUpcaster, type MappingText } from './mapping-text.ts';
import { EACH, pointerText, putAt, takeAt, valueAt, valuesAt } from './places.ts';
import { RawValue } from './raw-value.ts';

/** Does one mapping to a payload. */
export type Mapping = (payload: RawValue, run: MappingRun) => void;

type Change = (from: RawValue, run: MappingRun) => void;

interface Operation {
  readonly members: readonly string[];
  readonly read: (text: MappingText) => Mapping;
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const SHOWN_MAX = 60;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  rename: {
    members: ['path', 'to'],
    read: (text) => {
      const path = text.place('path');
      const name = text.text('to');
      return eachScope([path, [...path.slice(0, -1), name]], text, ([from = [], to = []]) =>
        moving(from, to),
      );
    },
  },
  move: {
    members: ['from', 'to'],
    read: (text) =>
      eachScope([text.place('from'), text.place('to')], text, ([from = [], to = []]) =>
        moving(from, to),
      ),
  },
  drop: {
    members: ['path'],
    read: (text) =>
      eachScope([text.place('path')], text, ([path = []]) => (from, run) => {
        takeAt(from, path, run);
      }),
  },
  default: {
    members: ['path', 'value'],
    read: (text) => {
      const value = text.raw('value');
      return eachScope([text.place('path')], text, ([tokens = []]) => (from, run) => {
        if (valueAt(from, tokens, run) === null)
          putAt(from, { tokens, value: new RawValue(value), replaces: false }, run);
      });
    },
  },
  constant: {
    members: ['path', 'value'],
    read: (text) => {
      const value = text.raw('value');
      return eachScope([text.place('path')], text, ([tokens = []]) => (from, run) => {
        putAt(from, { tokens, value: new RawValue(value), replaces: true }, run);
      });
    },
  },
  cast: {
    members: ['path', 'to'],
    read: (text) => {
      const to = text.word('to', ['string', 'number']);
      return eachScope([text.place('path')], text, ([tokens = []]) => (from, run) => {
        const before = valueAt(from, tokens, run);
        const value = before === null ? null : castTo(to, before, tokens);
        if (value !== null && value !== before) putAt(from, { tokens, value, replaces: true }, run);
      });
    },
  },
  split: {
    members: ['from', 'to', 'separator'],
    read: (text) => {
      const separator = text.text('separator');
      const isList = typeof text.value('to') === 'string';
      const to = isList ? [text.place('to')] : text.places('to');
      return eachScope([text.place('from'), ...to], text, ([from = [], ...places]) =>
        splitting({ from, places, separator, isList }),
      );
    },
  },
  join: {
    members: ['from', 'to', 'separator'],
    read: (text) => {
      const separator = text.raw('separator') === '""' ? '' : text.text('separator');
      const from = text.places('from');
      return eachScope([text.place('to'), ...from], text, ([to = [], ...places]) =>
        joining({ places, to, separator }),
      );
    },
  },
};

/** The operations by name. */
export const OPERATION_NAMES = Object.keys(OPERATIONS);

/** Reads one mapping. Throws `invalid_upcaster` with a pointer to what is not allowed. */
export function readMapping(text: MappingText): Mapping {
  const { members, read } = OPERATIONS[text.word('op', OPERATION_NAMES)] as Operation;
  text.requireOnly(members);
  return read(text);
}

/** A mapping that does a change in each place that the part of its pointers up to the last `*` stands for. */
function eachScope(
  places: readonly string[][],
  text: MappingText,
  change: (places: string[][]) => Change,
): Mapping {
  const length = Math.max(...places.map((tokens) => tokens.lastIndexOf(EACH))) + 1;
  const [scope = []] = places.map((tokens) => tokens.slice(0, length));
  const isShared = places.every(
    (tokens) =>
      tokens.length > length && pointerText(tokens.slice(0, length)) === pointerText(scope),
  );
  if (!isShared)
    throw invalidUpcaster(
      text.pointer,
      `its places must be the same up to the last '*', and name something behind it.`,
    );
  const apply = change(places.map((tokens) => tokens.slice(length)));
  if (length === 0) return apply;
  return (payload, run) => {
    for (const value of valuesAt(payload, scope, run)) apply(value, run);
  };
}

function moving(from: readonly string[], to: readonly string[]): Change {
  return (root, run) => {
    const value = takeAt(root, from, run);
    if (value !== null) putAt(root, { tokens: to, value, replaces: false, isMoved: true }, run);
  };
}

interface Splitting {
  readonly from: readonly string[];
  readonly places: readonly string[][];
  readonly separator: string;
  /** True: the parts become an array at the only place. */
  readonly isList: boolean;
}

/** The last place takes all that is left. */
function splitting({ from, places, separator, isList }: Splitting): Change {
  return (root, run) => {
    const value = valueAt(root, from, run);
    if (value === null || value.kind === 'null') return;
    if (value.kind !== 'string') throw notOf('a string', from, value);
    takeAt(root, from, run);
    const parts = String(JSON.parse(value.print())).split(separator);
    run.look(parts.length);
    if (isList) {
      const list = `[${parts.map((part) => JSON.stringify(part)).join(',')}]`;
      putAt(root, { tokens: places[0] ?? [], value: new RawValue(list), replaces: false }, run);
      return;
    }
    for (const [index, tokens] of places.entries()) {
      const isLast = index === places.length - 1;
      const part = isLast ? parts.slice(index).join(separator) : parts[index];
      if (index >= parts.length || part === undefined) return;
      putAt(root, { tokens, value: new RawValue(JSON.stringify(part)), replaces: false }, run);
    }
  };
}

interface Joining {
  readonly places: readonly string[][];
  readonly to: readonly string[];
  readonly separator: string;
}

/** Places that are missing, or null, are passed over; where all are, nothing is joined. */
function joining({ places, to, separator }: Joining): Change {
  return (root, run) => {
    const parts: string[] = [];
    for (const tokens of places) {
      const value = takeAt(root, tokens, run);
      if (value === null || value.kind === 'null') continue;
      parts.push(partText(value, tokens));
    }
    if (parts.length === 0) return;
    const value = new RawValue(JSON.stringify(parts.join(separator)));
    putAt(root, { tokens: to, value, replaces: false }, run);
  };
}

function partText(value: RawValue, tokens: readonly string[]): string {
  if (value.kind === 'string') return String(JSON.parse(value.print()));
  if (value.kind === 'number') return value.print();
  throw notOf('a string or a number', tokens, value);
}

/** A number keeps its digits as a text, and a text its digits as a number. Null stays null. */
function castTo(to: 'string' | 'number', value: RawValue, tokens: readonly string[]): RawValue {
  const { kind } = value;
  if (kind === to || kind === 'null') return value;
  if (kind !== 'string' && kind !== 'number') throw notOf('a string or a number', tokens, value);
  const text = value.print();
  if (to === 'string') return new RawValue(`"${text}"`);
  const digits = String(JSON.parse(text));
  if (JSON_NUMBER.test(digits)) return new RawValue(digits);
  throw notOf('a number written as JSON writes one', tokens, value);
}

function notOf(wanted: string, tokens: readonly string[], value: RawValue): UpcastFault {
  const text = value.print();
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  return new UpcastFault(`at ${pointerText(tokens)} stands ${shown}, which is not ${wanted}`);
}
