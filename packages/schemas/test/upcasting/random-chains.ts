/**
 * Random chains of versions, and a model of what their steps do that knows nothing of JSON text: a payload is a map from a path to the text of a value. Each step changes the
 * model and says the same as a mapping; the schema of each version declares exactly what the model has.
 */
import type { SeededRandom } from '@allsource/testkit';

/** What stands at a path, as far as the steps need to know it. */
type Kind = 'number' | 'digits' | 'words' | 'text';
/** Path (`a` or `o.a`) to kind. */
type Shape = ReadonlyMap<string, Kind>;
export type Values = ReadonlyMap<string, string>;

export interface ChainStep {
  readonly mappings: readonly object[];
  readonly schema: object;
  readonly apply: (values: Values) => Values;
}

export interface RandomChain {
  readonly firstSchema: object;
  readonly steps: readonly ChainStep[];
  /** A payload of the first version. */
  values(): Values;
}

const NUMBERS = ['0', '-0', '1.0', '12345678901234567890', '1e2', '0.10', '-3.25E+1', '1e400', '7'];
const WORDS = ['"Ada Lovelace"', '"x y z"', '"ä ö"', '"\\u0041 \\n"', '" "'];
const TEXTS = ['""', '"plain"', '"\\u00e9\\"q"', '"日本"'];

export function randomChain(random: SeededRandom, length: number): RandomChain {
  let fresh = 0;
  const newPath = () => {
    fresh += 1;
    return random.below(3) === 0 ? `o${random.below(3)}.f${fresh}` : `f${fresh}`;
  };
  const kinds: Kind[] = ['number', 'digits', 'words', 'text', 'number'];
  const first = new Map(kinds.map((kind) => [newPath(), kind]));
  let shape: Shape = first;
  const steps: ChainStep[] = [];
  for (let i = 0; i < length; i++) {
    const changes = Array.from({ length: 1 + random.below(4) }, () => {
      const change = randomChange(random, shape, newPath);
      shape = change.shape;
      return change;
    });
    steps.push({
      mappings: changes.map(({ mapping }) => mapping),
      schema: schemaOf(shape),
      apply: (values) => changes.reduce<Values>((now, { apply }) => apply(now), values),
    });
  }
  const values = () => new Map([...first].map(([path, kind]) => [path, valueOf(random, kind)]));
  return { firstSchema: schemaOf(first), steps, values };
}

interface Change {
  readonly mapping: object;
  readonly shape: Shape;
  readonly apply: (values: Values) => Values;
}

function randomChange(random: SeededRandom, shape: Shape, newPath: () => string): Change {
  const paths = [...shape.keys()];
  const path = paths.length === 0 ? '' : random.pick(paths);
  const kind = shape.get(path);
  const to = newPath();
  const choice = random.below(7);
  if (kind === undefined || choice === 0) {
    const mapping = { op: random.pick(['default', 'constant']), path: pointer(to), value: 1.5 };
    return setting(shape, { mapping, path: to, kind: 'number', value: () => '1.5' });
  }
  if (choice === 1)
    return { mapping: { op: 'drop', path: pointer(path) }, ...without(shape, [path]) };
  if (choice === 2) {
    const mapping = { op: 'constant', path: pointer(path), value: 'now' };
    return setting(shape, { mapping, path, kind: 'text', value: () => '"now"' });
  }
  if (choice === 3 && kind === 'number') {
    const mapping = { op: 'cast', path: pointer(path), to: 'string' };
    return setting(shape, { mapping, path, kind: 'digits', value: (before) => `"${before}"` });
  }
  if (choice === 3 && kind === 'digits') {
    const mapping = { op: 'cast', path: pointer(path), to: 'number' };
    return setting(shape, {
      mapping,
      path,
      kind: 'number',
      value: (before) => before.slice(1, -1),
    });
  }
  if (choice === 4 && kind === 'words') return splitting(shape, path, [to, newPath()]);
  if (choice === 5) return joining(shape, [path, random.pick(paths)], to);
  return moving(shape, path, to);
}

function setting(
  shape: Shape,
  change: {
    readonly mapping: object;
    readonly path: string;
    readonly kind: Kind;
    readonly value: (before: string) => string;
  },
): Change {
  const { mapping, path, kind, value } = change;
  return {
    mapping,
    shape: new Map([...shape, [path, kind]]),
    apply: (values) => new Map([...values, [path, value(values.get(path) ?? '')]]),
  };
}

function without(shape: Shape, paths: readonly string[]): Omit<Change, 'mapping'> {
  const kept = <T>(all: ReadonlyMap<string, T>) =>
    new Map([...all].filter(([path]) => !paths.includes(path)));
  return { shape: kept(shape), apply: kept };
}

function moving(shape: Shape, path: string, to: string): Change {
  const rest = without(shape, [path]);
  return {
    mapping: { op: 'move', from: pointer(path), to: pointer(to) },
    shape: new Map([...rest.shape, [to, shape.get(path) as Kind]]),
    apply: (values) => new Map([...rest.apply(values), [to, values.get(path) as string]]),
  };
}

function splitting(shape: Shape, path: string, to: readonly [string, string]): Change {
  const rest = without(shape, [path]);
  return {
    mapping: { op: 'split', from: pointer(path), to: to.map(pointer), separator: ' ' },
    shape: new Map([...rest.shape, ...to.map((part) => [part, 'text'] as const)]),
    apply: (values) => {
      const [first = '', ...others] = textOf(values.get(path) as string).split(' ');
      const parts = [first, others.join(' ')];
      return new Map([
        ...rest.apply(values),
        ...to.map((part, i) => [part, JSON.stringify(parts[i])] as const),
      ]);
    },
  };
}

function joining(shape: Shape, [a, b]: readonly [string, string], to: string): Change {
  const from = a === b ? [a] : [a, b];
  const rest = without(shape, from);
  return {
    mapping: { op: 'join', from: from.map(pointer), to: pointer(to), separator: '-' },
    shape: new Map([...rest.shape, [to, 'text']]),
    apply: (values) => {
      const parts = from.map((path) => textOf(values.get(path) as string));
      return new Map([...rest.apply(values), [to, JSON.stringify(parts.join('-'))]]);
    },
  };
}

function textOf(value: string): string {
  return value.startsWith('"') ? (JSON.parse(value) as string) : value;
}

function pointer(path: string): string {
  return `/${path.replace('.', '/')}`;
}

function valueOf(random: SeededRandom, kind: Kind): string {
  if (kind === 'number') return random.pick(NUMBERS);
  if (kind === 'digits') return `"${random.pick(NUMBERS)}"`;
  return random.pick(kind === 'words' ? WORDS : TEXTS);
}

const SCHEMA_OF_KIND = {
  number: { type: 'number' },
  digits: { type: 'string', pattern: '^-?[0-9]', examples: ['1.0'] },
  words: { type: 'string', pattern: ' ', examples: ['a b'] },
  text: { type: 'string' },
} as const;

/** Everything required and nothing else allowed, but for objects that moves may have left empty. */
function schemaOf(shape: Shape): object {
  const own: Record<string, object> = {};
  const objects: Record<string, Record<string, object>> = { o0: {}, o1: {}, o2: {} };
  for (const [path, kind] of shape) {
    const [name = '', inner] = path.split('.');
    if (inner === undefined) own[name] = SCHEMA_OF_KIND[kind];
    else objects[name] = { ...objects[name], [inner]: SCHEMA_OF_KIND[kind] };
  }
  const filled = Object.keys(objects).filter((name) => Object.keys(objects[name] ?? {}).length > 0);
  const inner = Object.fromEntries(
    Object.entries(objects).map(([name, properties]) => [name, closed(properties)]),
  );
  const outer = closed({ ...own, ...inner });
  return { ...outer, required: [...Object.keys(own), ...filled] };
}

/** Prints values as a payload. */
export function payloadOf(values: Values): string {
  const objects = new Map<string, string[]>();
  const members: string[] = [];
  for (const [path, text] of values) {
    const [name = '', inner] = path.split('.');
    if (inner === undefined) members.push(`"${name}" : ${text}`);
    else objects.set(name, [...(objects.get(name) ?? []), `"${inner}": ${text}`]);
  }
  for (const [name, inner] of objects) members.push(`"${name}":{ ${inner.join(', ')} }`);
  return `{${members.join(', ')}}`;
}

function closed(properties: Record<string, object>): object {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
}
