import { describe, expect, it } from '@jest/globals';
import { SandboxedFunction, SandboxFault } from '../src/index.ts';

const EVENT = JSON.stringify({ timestamp: '2026-01-01T10:00:00Z', payload: { amount: 12.5 } });

async function load(source: string): Promise<SandboxedFunction> {
  return SandboxedFunction.load({ source, name: 'reduce' });
}

/** What a call gives: JSON text, or the kind of its fault and its message. */
async function outcome(source: string, ...texts: string[]): Promise<string> {
  try {
    const loaded = await load(source);
    return loaded.call(...(texts.length > 0 ? texts : ['{"n":1}', EVENT]));
  } catch (error) {
    if (error instanceof SandboxFault) return `${error.kind}: ${error.message}`;
    throw error;
  }
}

/** Whether a function that counts up to a number comes to an end. */
function ends(counting: SandboxedFunction, rounds: number): boolean {
  try {
    return counting.call(String(rounds)) === String(rounds);
  } catch {
    return false;
  }
}

describe('a sandboxed function', () => {
  it.each([
    ['an expression', '(state, event) => ({ n: state.n + event.payload.amount })'],
    [
      'a function with a name',
      'function f(state, event) { return { n: state.n + event.payload.amount } }',
    ],
    [
      'statements with helpers',
      'const rate = 1;\nfunction help(x) { return x * rate }\nfunction reduce(state, event) { return { n: state.n + help(event.payload.amount) } }',
    ],
  ])('is given as %s', async (_, source) => {
    expect(await outcome(source)).toBe('{"n":13.5}');
  });

  it.each([
    ['(state event) => 1', 'source: line 1, column 8: SyntaxError: '],
    ['function reduce(s, e) {\n  return {{ }\n}', 'source: line 2, column 11: SyntaxError: '],
    [
      '{ a: 1 }',
      "source: it is neither a function, such as (state, event) => state, nor does it declare a function 'reduce'",
    ],
    [
      '(s, e) => {\n  return e.foo.bar;\n}',
      "thrown: line 2, column 15: TypeError: cannot read property 'bar' of undefined",
    ],
    [
      '(s, e) => e.foo.bar',
      "thrown: line 1, column 16: TypeError: cannot read property 'bar' of undefined",
    ],
    ['(s, e) => { throw "boom" }', 'thrown: it threw boom'],
    ['(s, e) => { s.n = 2 }', 'thrown: TypeError: it gives undefined; return a value of JSON'],
    [
      'function reduce(s, e) { return e.foo.bar }\nfunction other() {}',
      "thrown: line 1, column 37: TypeError: cannot read property 'bar' of undefined",
    ],
    ['async (s, e) => s', 'thrown: TypeError: it gives a promise; give the value itself'],
    ['(s, e) => 1n', 'thrown: TypeError: Do not know how to serialize a BigInt'],
  ])('says where and why it failed: %s', async (source, wanted) => {
    expect(await outcome(source)).toContain(wanted);
  });

  it.each([
    ['a loop', '() => { for (;;); }', 'steps'],
    ['a loop while it is loaded', '(() => { for (;;); })()', 'steps'],
    [
      'a built-in that loops within itself',
      '() => [].indexOf.call({ length: 2 ** 53 - 1 }, 1)',
      'steps',
    ],
    ['large integers', '() => { let x = 3n; for (;;) x = x * x; }', 'steps'],
    ['a pattern that tries everything', '() => /(a+)+b/.test("a".repeat(40))', 'steps'],
    [
      'a search of a long text in a long text',
      '() => "a".repeat(4e6).indexOf("a".repeat(2e6) + "b")',
      'steps',
    ],
    [
      'moving the same bytes again and again',
      '() => { const u = new Uint8Array(16e6); for (;;) u.copyWithin(0, 1) }',
      'steps',
    ],
    ['memory taken in small pieces', '() => { const a = []; for (;;) a.push({ a }); }', 'steps'],
    ['a trap of a proxy', '() => new Proxy({}, { ownKeys() { for (;;); } })', 'steps'],
    ['a getter of what is thrown', '() => { throw { get message() { for (;;); } } }', 'steps'],
    ['memory taken at once', '() => new Uint8Array(2 ** 27).length', 'memory'],
    [
      'memory whose lack it would catch',
      '() => { try { return "x".repeat(2 ** 29).length } catch { return 0 } }',
      'memory',
    ],
    ['calls too deep', '() => { const f = () => f() + 1; return f(); }', 'stack'],
    [
      'calls too deep through a built-in',
      '() => { const f = () => [1].map(f); return f(); }',
      'stack',
    ],
    ['the time', '() => Date.now()', 'outside'],
    ['the time in a new date', '() => new Date()', 'outside'],
    ['the local time zone', '(s, e) => new Date(e.timestamp).getHours()', 'outside'],
    ['randomness', '() => Math.random()', 'thrown'],
    ['a module', '() => import("node:fs")', 'thrown'],
    ['a module when it is loaded', 'import fs from "node:fs"; function reduce() {}', 'source'],
    ['waiting', '() => Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)', 'thrown'],
    ['the process', '() => (() => {}).constructor("return process")()', 'thrown'],
  ])('comes to an end, named, that wants %s', async (_, source, kind) => {
    expect(await outcome(source)).toMatch(new RegExp(`^${kind}: `));
  });

  it('may not have a longer source than its limit', async () => {
    const source = `() => '${'x'.repeat(70_000)}'`;
    expect(await outcome(source)).toBe('source: it has 70008 bytes; at most 65536 are allowed');
  });

  it('may not give back more than its limit', async () => {
    const text = JSON.stringify('x'.repeat(600_000));
    expect(await outcome('(s) => [s, s]', text)).toMatch(/^result: its result has 1200007 char/);
  });

  it('has none of what a host has', async () => {
    const names =
      '["process","require","fetch","setTimeout","console","WebAssembly","performance","crypto"]';
    const source = `() => ${names}.filter((name) => name in globalThis)`;
    expect(await outcome(source)).toBe('[]');
  });

  it('computes with the times of events', async () => {
    expect(await outcome('(s, e) => new Date(e.timestamp).getUTCHours()')).toBe('10');
    expect(await outcome('(s, e) => new Date(Date.parse(e.timestamp) + 1).toISOString()')).toBe(
      '"2026-01-01T10:00:00.001Z"',
    );
  });

  it('leaves nothing of a call for the next one, whatever it changes', async () => {
    const meddling = await load(`
      let calls = 0;
      const seen = [];
      function reduce(state) {
        calls++; seen.push(1); globalThis.left = (globalThis.left || 0) + 1;
        const before = [calls, seen.length, left, Object.prototype.left ?? 0, String(/a/.lastIndex)];
        Object.prototype.left = 1; Array.prototype.push = 1; Date.parse = 1; Object.freeze(Object.prototype);
        if (state.loop) for (;;);
        return before;
      }`);
    const first = meddling.call('{}');
    expect(first).toBe('[1,1,1,0,"0"]');
    expect(() => meddling.call('{"loop":1}')).toThrow(SandboxFault);
    expect(meddling.call('{}')).toBe(first);
    const other = await load('() => [globalThis.left ?? 0, [1].push(2)]');
    expect(other.call()).toBe('[0,2]');
  });

  it('leaves nothing in memory that was all zeros when the function was loaded', async () => {
    const counting = await load(
      'const zeros = new Uint8Array(300_000); function reduce() { for (let i = 0; i < zeros.length; i += 1000) zeros[i]++; return zeros.indexOf(2) }',
    );
    expect([counting.call(), counting.call(), counting.call()]).toEqual(['-1', '-1', '-1']);
  });

  it('may not hold much before it is called', async () => {
    const source = 'const much = new Uint8Array(5_000_000); function reduce() { return much[0] }';
    expect(await outcome(source)).toMatch(/^memory: it holds too much before it is called: with/);
  });

  it('takes names that are special to objects as data', async () => {
    const text = '{"__proto__":{"a":1},"constructor":2,"toString":3}';
    expect(await outcome('(s) => s', text)).toBe(text);
    expect(await outcome('(s) => ({ ...s, constructor: 5 })', '{"toString":1}')).toBe(
      '{"toString":1,"constructor":5}',
    );
  });

  it('ends at the same step in each process and after each other call', async () => {
    // Just below and just above the limit: a call that is cut off must be cut off always.
    const source = '(rounds) => { let n = 0; while (n < rounds) n++; return n; }';
    const counting = await load(source);
    let below = 0;
    let above = 10_000_000;
    while (above - below > 1) {
      const middle = Math.floor((below + above) / 2);
      if (ends(counting, middle)) below = middle;
      else above = middle;
    }
    expect(below).toBeGreaterThan(10_000);
    const fresh = await load(source);
    expect([ends(fresh, below), ends(fresh, above)]).toEqual([true, false]);
    for (let i = 0; i < 20; i++) ends(counting, i * 1000);
    expect([ends(counting, below), ends(counting, above)]).toEqual([true, false]);
  });

  it.each([
    'f()',
    '[1].map(f)',
    '[2, 1].sort(() => (f(), 0))',
    '"a".replace(/a/, f)',
    'new Proxy({}, { get: f }).a',
    'JSON.stringify({ toJSON: f })',
    'Reflect.construct(class { constructor() { f() } }, [])',
    'eval("f()")',
  ])(
    'that goes too deep ends at one depth, cold and warm, whatever it goes through: %s',
    async (call) => {
      const source = `() => { let depth = 0; const f = () => { depth++; ${call}; return "a" }; try { f() } catch { return depth } }`;
      const deep = await load(source);
      const depth = deep.call();
      expect(Number(depth)).toBeGreaterThan(50);
      // The compiler of the host makes smaller frames of what has run often.
      const others = Array.from({ length: 100 }, () => deep.call());
      expect(new Set(others)).toEqual(new Set([depth]));
      expect((await load(source)).call()).toBe(depth);
    },
  );

  it('passes texts of every kind through unchanged', async () => {
    const same = await load('(value) => value');
    const text = JSON.stringify(['é', '日本', '😀', '\ud800', '\u0000', 'a'.repeat(100_000)]);
    expect(JSON.parse(same.call(text))).toEqual(JSON.parse(text));
  });
});
