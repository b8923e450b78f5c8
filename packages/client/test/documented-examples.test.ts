/** What the documentation of the client shows compiles, and every public function shows something. */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { expect, it } from '@jest/globals';

const REPOSITORY = join(import.meta.dirname, '../../..');
const SOURCES = join(REPOSITORY, 'packages/client/src');
const DOCUMENTS = ['packages/client/README.md', 'docs/guides/typescript-client.md'];
const DOORS = ['index.ts', 'testing.ts'];

interface Example {
  /** Where it stands: file and line. */
  readonly place: string;
  readonly code: string;
}

/** What examples may use without making it: clients of a store of orders and users. */
const PRELUDE = `
import { CoreClient, EventStreamClient, foldEvents, positionOfEventId, ProjectionWorker, QueryClient, QueryEventsParams, coreCheckpoints, AllSourceError, VersionConflictError, type EventFolder, type EventOf } from '@allsource/client';
import { decider, InMemoryStore, reducer } from '@allsource/client/testing';
export { CoreClient, EventStreamClient, foldEvents, positionOfEventId, ProjectionWorker, QueryClient, QueryEventsParams, coreCheckpoints, AllSourceError, VersionConflictError, decider, InMemoryStore, reducer };
export type { EventFolder, EventOf };
export type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
export declare const core: CoreClient<Events>;
export declare const query: QueryClient<Events>;
export declare const stream: EventStreamClient<Events>;
export declare const worker: ProjectionWorker<Record<string, { total: number }>, Events>;
export declare const store: InMemoryStore;
`;

function moduleOf(code: string): string {
  if (/^import /m.test(code)) return `${code}\nexport {};\n`;
  const offered = [...PRELUDE.matchAll(/export (?:declare const|type|interface) (\w+)[ :]/g)].map(
    ([, name]) => name ?? '',
  );
  const exported = /export \{ ([^}]*) \};/.exec(PRELUDE)?.[1]?.split(', ') ?? [];
  const names = [...offered, ...exported, 'EventFolder', 'EventOf'].filter(
    (name) => !new RegExp(`\\b(?:const|using|type|class|function) ${name}\\b`).test(code),
  );
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return `import { ${used.join(', ')} } from '../prelude.ts';\n${code}\nexport {};\n`;
}

function fenced(text: string, file: string): Example[] {
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => ({
    place: `${file}:${text.slice(0, match.index).split('\n').length}`,
    code: match[1] ?? '',
  }));
}

function examplesOfSources(): Example[] {
  return globSync('**/*.ts', { cwd: SOURCES })
    .filter((file) => !file.endsWith('.test.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(SOURCES, file), 'utf8');
      // Fences of a doc comment, without its stars; line numbers stay.
      return fenced(text.replace(/^ *\* ?/gm, ''), `packages/client/src/${file}`);
    });
}

function examplesOfDocuments(): Example[] {
  return DOCUMENTS.flatMap((file) => fenced(readFileSync(join(REPOSITORY, file), 'utf8'), file));
}

function compileErrors(examples: readonly Example[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-examples-'));
  try {
    mkdirSync(join(folder, 'examples'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    writeFileSync(join(folder, 'prelude.ts'), PRELUDE);
    examples.forEach(({ code }, i) =>
      writeFileSync(join(folder, `examples/${i}.ts`), moduleOf(code)),
    );
    const settings = {
      extends: join(REPOSITORY, 'tsconfig.base.json'),
      compilerOptions: {
        verbatimModuleSyntax: false,
        noUnusedLocals: false,
        typeRoots: [join(REPOSITORY, 'node_modules/@types')],
        paths: {
          '@allsource/client': [join(SOURCES, 'index.ts')],
          '@allsource/client/testing': [join(SOURCES, 'testing.ts')],
          '@allsource/shared/*': [join(REPOSITORY, 'packages/shared/src/*/index.ts')],
          ws: [join(REPOSITORY, 'tests/node_modules/@types/ws')],
        },
      },
      include: ['examples', 'prelude.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
    const { stdout } = spawnSync(tsc, ['--noEmit', '-p', folder], {
      encoding: 'utf8',
      cwd: folder,
    });
    return stdout
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) =>
        line.replace(/^examples\/(\d+)\.ts/, (_, i: string) => examples[Number(i)]?.place ?? ''),
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files of the classes that those of a file extend. */
function baseFiles(file: string): string[] {
  const text = readFileSync(join(SOURCES, file), 'utf8');
  return [...text.matchAll(/^export class [^{]* extends (\w+)/gm)].flatMap(([, base = '']) => {
    const found = new RegExp(`import \\{[^}]*\\b${base}\\b[^}]*\\} from '(\\.[^']+)'`).exec(text);
    return found === null ? [] : [join(dirname(file), found[1] ?? '')];
  });
}

/** The files whose names the doors export as values. */
function doorFiles(): string[] {
  return DOORS.flatMap((door) => {
    const text = readFileSync(join(SOURCES, door), 'utf8');
    return [...text.matchAll(/export \{([^}]*)\} from '\.\/([^']+)'/g)]
      .filter(([, names = '']) => names.split(',').some((name) => !/^\s*(type |$)/.test(name)))
      .map(([, , file = '']) => file);
  });
}

const DOC = String.raw`(\/\*\*(?:(?!\*\/)[\s\S])*?\*\/)?\s*\n`;
/** A public method of an exported class, or an exported function, and the comment before it. */
const MEMBERS = [
  new RegExp(
    String.raw`${DOC}  (?:async )?\*?(?!constructor\b|if\b|for\b|while\b|switch\b|return\b|static\b)([a-z]\w*)(?:<[^\n]*)?\((?![^\n]*;\n)`,
    'g',
  ),
  new RegExp(String.raw`${DOC}export (?:async )?function\*? (\w+)`, 'g'),
  new RegExp(String.raw`${DOC}export class (\w+)`, 'g'),
];
/** Their names say all that an example could. */
const NEED_NONE = /Error$|^WorkerStatus$/;

function undocumented(file: string, door: string): string[] {
  const text = readFileSync(join(SOURCES, file), 'utf8');
  const missing: string[] = [];
  for (const pattern of MEMBERS)
    for (const [, comment = '', name = ''] of text.matchAll(pattern)) {
      const isMember = pattern === MEMBERS[0];
      const isPublic = isMember || new RegExp(`\\b${name}\\b`).test(door);
      if (isPublic && !NEED_NONE.test(name) && !comment.includes('@example'))
        missing.push(`${relative(SOURCES, join(SOURCES, file))}: ${name}`);
    }
  return missing;
}

it('compiles, in the sources and in the documents', () => {
  const examples = [...examplesOfSources(), ...examplesOfDocuments()];
  expect(examples.length).toBeGreaterThan(60);
  expect(compileErrors(examples)).toEqual([]);
});

it('is found not to compile when it does not', () => {
  const wrong = {
    place: 'here',
    code: `await core.ingestEvent({ eventType: 'order.lost', entityId: 'o', payload: {} });`,
  };
  expect(compileErrors([wrong]).join('\n')).toMatch(/^here.*TS2/);
});

it('stands at every public function and class', () => {
  const door = DOORS.map((file) => readFileSync(join(SOURCES, file), 'utf8')).join('\n');
  const exported = doorFiles().filter((file) => !file.startsWith('http/'));
  const files = [...new Set([...exported, ...exported.flatMap(baseFiles)])];
  expect(files).toContain('query/event-queries.ts');
  expect(files.length).toBeGreaterThan(6);
  const missing = files.flatMap((file) => undocumented(file, door));
  // Two signatures of one function share their comment.
  expect(missing.filter((name) => !name.endsWith(': queryAndFold'))).toEqual([]);
});
