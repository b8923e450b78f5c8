/**
 * The operators against models that are written another way: for each event, a model goes through all events before it again and computes what must come out. States are
 * saved and read back at random points, which must not show.
 */
import { describe, expect, it } from '@jest/globals';
import { type Json, SeededRandom } from '@allsource/testkit';
import { parseOperators } from '../../src/pipelines/definition/parse-operators.ts';
import { Carried } from '../../src/pipelines/operators/carried.ts';
import { type LookupOf, OperatorChain } from '../../src/pipelines/operators/compile-operators.ts';
import { OperatorFault } from '../../src/pipelines/operators/operator.ts';
import { OperatorStates } from '../../src/pipelines/operators/operator-states.ts';
import { MemoryStates } from './memory-states.ts';

const SEEDS = [1, 2, 3];
const SECOND = 1_000_000;
const EVENTS = 120;
const NO_LOOKUP: LookupOf = () => () => Promise.resolve(null);

interface Input {
  readonly at: number;
  readonly group: string;
  readonly n: number | null;
}

interface Output {
  readonly key: string;
  readonly isRetracted: boolean;
  readonly value: Json;
}

interface Step {
  readonly outputs: readonly Output[];
  readonly isLate: boolean;
  readonly isFiltered: boolean;
  readonly fault: string | null;
}

/** A pipeline in memory. */
class Trial {
  readonly #chain: OperatorChain;
  readonly #store = new MemoryStates();
  #states = new OperatorStates(this.#store);
  #position = 0;

  constructor(operators: readonly object[], lookup = NO_LOOKUP) {
    // As a definition comes: through JSON.
    const parsed = JSON.parse(JSON.stringify(operators)) as unknown[];
    this.#chain = new OperatorChain(parseOperators(parsed, '/operators'), lookup);
  }

  async take(payload: unknown, timestamp = 0, entity = 'e'): Promise<Step> {
    return await this.takeText(JSON.stringify(payload), timestamp, entity);
  }

  async takeText(text: string, timestamp = 0, entity = 'e'): Promise<Step> {
    this.#position += 1;
    const origin = {
      eventId: `id-${this.#position}`,
      eventType: 't',
      entityId: entity,
      position: this.#position,
      timestamp,
    };
    const notes = { isLate: false, isFiltered: false };
    this.#states.begin();
    try {
      const values = await this.#chain.apply(Carried.ofEvent(text, origin), {
        states: this.#states,
        noteLate: () => {
          notes.isLate = true;
        },
        noteFiltered: () => {
          notes.isFiltered = true;
        },
      });
      const outputs = values.map(({ key, isRetracted, text: out }) => {
        return { key, isRetracted, value: JSON.parse(out) as unknown, text: out };
      });
      return { outputs, ...notes, fault: null };
    } catch (error) {
      if (!(error instanceof OperatorFault)) throw error;
      this.#states.undo();
      return { outputs: [], ...notes, fault: error.message };
    }
  }

  /** Saves the states and goes on from what was saved, as after a restart. */
  restart(): void {
    const changes = this.#states.take();
    this.#store.save(JSON.parse(JSON.stringify(changes)) as typeof changes);
    this.#states = new OperatorStates(this.#store);
  }
}

function inputs(seed: number): { readonly random: SeededRandom; readonly events: Input[] } {
  const random = new SeededRandom(seed);
  let clock = 1_000 * SECOND;
  const events = Array.from({ length: EVENTS }, () => {
    clock += random.below(4) * SECOND;
    const at = Math.max(0, clock - random.below(22) * SECOND);
    const n = random.below(10) === 0 ? null : random.below(50);
    return { at, group: random.pick(['a', 'b', 'c']), n };
  });
  return { random, events };
}

async function outputsOf(operators: readonly object[], seed: number): Promise<Step[]> {
  const { random, events } = inputs(seed);
  const trial = new Trial(operators);
  const steps: Step[] = [];
  for (const { at, group, n } of events) {
    steps.push(await trial.take({ group, n }, at));
    if (random.below(7) === 0) trial.restart();
  }
  return steps;
}

function result(held: readonly Input[], name: string): number | null {
  const numbers = held.flatMap(({ n }) => (n === null ? [] : [n]));
  const sum = numbers.reduce((total, n) => total + n, 0);
  if (name === 'count') return held.length;
  if (name === 'sum') return sum;
  if (numbers.length === 0) return null;
  if (name === 'avg') return sum / numbers.length;
  return name === 'min' ? Math.min(...numbers) : Math.max(...numbers);
}

const iso = (at: number) => new Date(at / 1_000).toISOString();

function windowValue(
  held: readonly Input[],
  of: {
    readonly type: string;
    readonly size: number;
    readonly start: number;
    readonly end: number;
  },
) {
  return {
    window_type: of.type,
    window_size_seconds: of.size,
    events_in_window: held.length,
    aggregation: { group: held[0]?.group, function: 'sum', value: result(held, 'sum') },
    window_start: iso(of.start),
    window_end: iso(of.end),
  };
}

describe('reduce', () => {
  it.each(['sum', 'count', 'avg', 'min', 'max'])(
    '%s is that of all events of the group so far',
    async (name) => {
      for (const seed of SEEDS) {
        const reduce = { type: 'reduce', field: 'n', function: name, group_by: 'group' };
        const steps = await outputsOf([reduce], seed);
        const { events } = inputs(seed);
        for (const [i, { outputs }] of steps.entries()) {
          const { group } = events[i] as Input;
          const held = events.slice(0, i + 1).filter((event) => event.group === group);
          const value = { group, function: name, value: result(held, name) };
          expect(outputs).toMatchObject([{ key: group, value }]);
        }
      }
    },
  );

  it('adds up what rounding would lose', async () => {
    const trial = new Trial([{ type: 'reduce', field: 'n', function: 'sum' }]);
    for (const n of [1e16, 1, 1, 1, 1]) await trial.take({ n });
    expect((await trial.take({ n: -1e16 })).outputs[0]?.value).toEqual({
      group: null,
      function: 'sum',
      value: 4,
    });
  });
});

interface WindowCase {
  readonly type: 'tumbling' | 'sliding' | 'session';
  readonly lateness: number;
  readonly on: 'update' | 'close';
}

const SIZE = 10;
const SLIDE = 4;
const TIMEOUT = 3;

const CASES: WindowCase[] = (['tumbling', 'sliding', 'session'] as const).flatMap((type) =>
  [0, 5].flatMap((lateness) =>
    (['update', 'close'] as const).map((on) => ({ type, lateness, on })),
  ),
);

function windowOperator({ type, lateness, on }: WindowCase): object {
  return {
    type: 'window',
    config: {
      window_type: type,
      size_seconds: SIZE,
      ...(type === 'sliding' ? { slide_seconds: SLIDE } : {}),
      ...(type === 'session' ? { session_timeout_seconds: TIMEOUT } : {}),
      allowed_lateness_seconds: lateness,
      output_on: on,
    },
    aggregation: { type: 'reduce', field: 'n', function: 'sum', group_by: 'group' },
  };
}

/** All windows that hold an instant, found by trying every start. */
function fixedStarts(at: number, type: 'tumbling' | 'sliding'): number[] {
  const slide = (type === 'sliding' ? SLIDE : SIZE) * SECOND;
  const starts: number[] = [];
  for (let start = 0; start <= at; start += slide)
    if (at < start + SIZE * SECOND) starts.push(start);
  return starts;
}

function fixedModel({ type, lateness, on }: WindowCase, events: readonly Input[], i: number): Step {
  if (type === 'session') throw new TypeError('a session is no fixed window');
  const { at, group } = events[i] as Input;
  const markBefore = Math.max(0, ...events.slice(0, i).map((event) => event.at));
  const mark = Math.max(markBefore, at);
  const closesAt = (start: number) => start + (SIZE + lateness) * SECOND;
  // An event counts in a window that is open when it comes.
  const marks = events.map((_, j) => Math.max(...events.slice(0, j + 1).map((event) => event.at)));
  const held = (start: number, of: string, upTo: number) =>
    events.filter(
      (event, j) =>
        j <= upTo &&
        event.group === of &&
        fixedStarts(event.at, type).includes(start) &&
        closesAt(start) > (marks[j] as number),
    );
  const value = (start: number, of: string, upTo: number) =>
    windowValue(held(start, of, upTo), { type, size: SIZE, start, end: start + SIZE * SECOND });
  const open = fixedStarts(at, type).filter((start) => closesAt(start) > mark);
  const updated = open.map((start) => ({
    key: `${iso(start)}|${group}`,
    value: value(start, group, i),
  }));
  const starts = new Set(events.slice(0, i).flatMap((event) => fixedStarts(event.at, type)));
  const closing = [...starts]
    .filter((start) => closesAt(start) <= mark && closesAt(start) > markBefore)
    .toSorted((a, b) => a - b)
    .flatMap((start) => ['a', 'b', 'c'].map((of) => ({ start, of })))
    .filter(({ start, of }) => held(start, of, i - 1).length > 0)
    .map(({ start, of }) => ({ key: `${iso(start)}|${of}`, value: value(start, of, i - 1) }));
  const outputs = (on === 'update' ? updated : closing).map((one) => ({
    ...one,
    isRetracted: false,
  }));
  return { outputs, isLate: open.length === 0, isFiltered: false, fault: null };
}

const output = (held: Input[], isRetracted: boolean): Output => {
  const start = Math.min(...held.map(({ at }) => at));
  const end = Math.max(...held.map(({ at }) => at));
  const value = windowValue(held, { type: 'session', size: SIZE, start, end });
  return { key: `${iso(start)}|${held[0]?.group}`, value, isRetracted };
};

const order = (a: Input[], b: Input[]) =>
  Math.max(...a.map(({ at }) => at)) - Math.max(...b.map(({ at }) => at)) ||
  ((a[0]?.group ?? '') < (b[0]?.group ?? '') ? -1 : 1);

const byKey = (a: Output, b: Output) => (a.key < b.key ? -1 : 1);

/** The sessions of a group after some events: its open events in their order, cut where the pause is long. Late events are left out as they come. */
function sessionModel({ lateness, on }: WindowCase, events: readonly Input[]): Step[] {
  const closesAt = (end: number) => end + (TIMEOUT + lateness) * SECOND;
  let open: Input[][] = [];
  let mark = 0;
  return events.map((event): Step => {
    mark = Math.max(mark, event.at);
    const closed = open.filter((held) => closesAt(Math.max(...held.map(({ at }) => at))) <= mark);
    open = open.filter((held) => !closed.includes(held));
    const near = (held: Input[]) =>
      held[0]?.group === event.group &&
      held.some(({ at }) => Math.abs(at - event.at) < TIMEOUT * SECOND);
    const joined = open.filter(near);
    const isLate = joined.length === 0 && closesAt(event.at) <= mark;
    const closing = closed.toSorted(order).map((held) => output(held, false));
    if (isLate)
      return { outputs: on === 'close' ? closing : [], isLate, isFiltered: false, fault: null };
    const session = [...joined.flat(), event];
    open = [...open.filter((held) => !joined.includes(held)), session];
    const now = output(session, false);
    const gone = joined.map((held) => output(held, true)).filter(({ key }) => key !== now.key);
    const outputs = on === 'close' ? closing : [...gone.toSorted(byKey), now];
    return { outputs, isLate: false, isFiltered: false, fault: null };
  });
}

describe('window', () => {
  it.each(CASES)(
    '%o puts out what its events come to, and leaves late ones out',
    async (window) => {
      let late = 0;
      for (const seed of SEEDS) {
        const steps = await outputsOf([windowOperator(window)], seed);
        const { events } = inputs(seed);
        const model =
          window.type === 'session'
            ? sessionModel(window, events)
            : events.map((_, i) => fixedModel(window, events, i));
        late += model.filter(({ isLate }) => isLate).length;
        expect(steps).toMatchObject(model);
      }
      // A run without late events would not show what becomes of them.
      expect(late).toBeGreaterThan(window.lateness === 0 ? 20 : 0);
    },
  );
});

const passes = async (op: string, value: unknown, found: unknown) => {
  const { outputs } = await new Trial([{ type: 'filter', field: 'a.b', op, value }]).take({
    a: { b: found },
  });
  return outputs.length === 1;
};

describe('filter', () => {
  it('compares JSON values, numbers with numbers and text with text', async () => {
    expect(await passes('eq', { x: [1, 2] }, { x: [1, 2] })).toBe(true);
    expect(await passes('eq', 1, '1')).toBe(false);
    expect(await passes('ne', 1, '1')).toBe(true);
    expect(await passes('gt', 5, 6)).toBe(true);
    expect(await passes('gt', 5, '6')).toBe(false);
    expect(await passes('lt', '2026-02', '2026-01-31')).toBe(true);
    expect(await passes('contains', 'ell', 'hello')).toBe(true);
    expect(await passes('contains', 2, [1, 2])).toBe(true);
    expect(await passes('contains', 'x', { x: 1 })).toBe(false);
  });

  it('takes what is not there, or only inherited, for nothing', async () => {
    for (const field of ['missing', 'toString', '__proto__', 'constructor.name', 'list.length']) {
      const payload = JSON.parse('{"list":[1]}') as unknown;
      for (const [op, wanted] of [
        ['eq', 0],
        ['gt', 0],
        ['lt', 0],
        ['contains', 0],
        ['ne', 1],
      ] as const) {
        const { outputs } = await new Trial([{ type: 'filter', field, op, value: 1 }]).take(
          payload,
        );
        expect(outputs).toHaveLength(wanted);
      }
    }
  });
});

const map = (field: string, transform: string) => ({ type: 'map', field, transform });

describe('map and branch', () => {
  it('change one member and leave the bytes of all others', async () => {
    const text = '{"big":12345678901234567890,"a":{"n":1.50,"s":" Ab "},"z":1e2}';
    const trial = new Trial([
      map('a.s', 'trim'),
      map('a.s', 'uppercase'),
      map('a.n', 'multiply:2'),
    ]);
    const { outputs } = await trial.takeText(text);
    expect(outputs).toMatchObject([
      { text: '{"big":12345678901234567890,"a":{"n":3,"s":"AB"},"z":1e2}' },
    ]);
    const branch = new Trial([
      { type: 'branch', field: 'a.s', branches: { Ab: 'x', ' Ab ': 'y' } },
    ]);
    expect((await branch.takeText(text)).outputs).toMatchObject([
      { text: `${text.slice(0, -1)},"_route":"y"}` },
    ]);
    expect((await branch.take({ a: { s: 'other' } })).outputs[0]?.value).not.toHaveProperty(
      '_route',
    );
  });

  it('have no effect beyond the value, whatever its members are named', async () => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];
    for (const name of names) {
      const trial = new Trial([
        { type: 'map', field: `${name}.polluted`, transform: 'uppercase' },
        { type: 'branch', field: name, branches: { x: name } },
        { type: 'reduce', field: name, function: 'count', group_by: name },
      ]);
      await trial.takeText(`{"${name}":{"polluted":"yes"}}`);
      await trial.takeText(`{"${name}":"${name}"}`);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('say what is wrong with a value of the wrong type, and then nothing of the event counts', async () => {
    const trial = new Trial([
      { type: 'reduce', field: 'n', function: 'sum' },
      { type: 'map', field: 'value', transform: 'uppercase' },
    ]);
    const step = await trial.take({ n: 5 });
    expect(step.fault).toBe("Operator 1: 'value' is 5; 'uppercase' needs text.");
    const reduceOnly = new Trial([{ type: 'reduce', field: 'n', function: 'sum' }]);
    await reduceOnly.take({ n: 1 });
    expect((await reduceOnly.take({ n: 'x' })).fault).toContain("'n' is 'x'");
    expect((await reduceOnly.take({ n: 1 })).outputs[0]?.value.value).toBe(2);
  });
});

describe('enrich', () => {
  it('adds the fields of what is found, and null for what is not', async () => {
    const rows = { 'e-1': { tier: 'gold', rate: 0.25, more: 1 }, 7: { tier: 'seven' } };
    const enrich = { type: 'enrich', source: 'rows', rows, fields: ['tier', 'rate'] };
    // `rows` is looked up by the host; the operator gets what is found.
    const lookup = () => (key: string) =>
      Promise.resolve(Object.hasOwn(rows, key) ? JSON.stringify(rows[key as 'e-1']) : null);
    const byEntity = new Trial([enrich], lookup);
    expect((await byEntity.take({ a: 1 }, 0, 'e-1')).outputs[0]?.value).toEqual({
      a: 1,
      tier: 'gold',
      rate: 0.25,
    });
    expect((await byEntity.take({ a: 1 }, 0, 'toString')).outputs[0]?.value).toEqual({
      a: 1,
      tier: null,
      rate: null,
    });
    const byField = new Trial([{ ...enrich, key: 'id', into: 'customer' }], lookup);
    expect((await byField.take({ id: 7 })).outputs[0]?.value).toEqual({
      id: 7,
      customer: { tier: 'seven', rate: null },
    });
  });
});

describe('operators together', () => {
  it('work in their order, each on what the one before puts out', async () => {
    const trial = new Trial([
      { type: 'filter', field: 'n', op: 'gt', value: 0 },
      { type: 'map', field: 'n', transform: 'add:1' },
      { type: 'reduce', field: 'n', function: 'sum', group_by: 'g' },
      { type: 'filter', field: 'value', op: 'gt', value: 10 },
      { type: 'branch', field: 'group', branches: { a: 'first' } },
    ]);
    expect(await trial.take({ n: -1, g: 'a' })).toMatchObject({ outputs: [], isFiltered: true });
    expect((await trial.take({ n: 4, g: 'a' })).outputs).toEqual([]);
    expect((await trial.take({ n: 5, g: 'a' })).outputs[0]?.value).toEqual({
      group: 'a',
      function: 'sum',
      value: 11,
      _route: 'first',
    });
  });
});
