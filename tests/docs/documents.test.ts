/** The documents keep their word: what is generated is up to date, every link leads somewhere, every promise names tests that exist. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { generatedDocuments } from '../../scripts/generate-docs.ts';
import { REPOSITORY } from '../support/running-store.ts';

const INVARIANTS = 'docs/INVARIANTS.md';
const HEADING = /^### (I-\d+) /gm;
const TEST_LINE = /^- `([^`]+)`: (.+)$/gm;

function read(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8');
}

const FOREIGN_FOLDERS = new Set(['node_modules', 'dist', 'coverage', 'data', '.git']);

function isForeign(path: string): boolean {
  return FOREIGN_FOLDERS.has(basename(path));
}

/** Files of the repository. */
function filesOf(...patterns: readonly string[]): string[] {
  return globSync([...patterns], { cwd: REPOSITORY, exclude: isForeign });
}

function matchesOf(text: string, pattern: RegExp): string[][] {
  return Array.from(text.matchAll(pattern), (match) => [...match]);
}

describe('the documents', () => {
  it('that are made from the code are what `npm run docs` writes', () => {
    for (const [path, text] of generatedDocuments())
      expect([path, read(path)]).toEqual([path, text]);
  });

  it('link only to files that exist', () => {
    const broken = filesOf('**/*.md').flatMap((path) =>
      matchesOf(read(path), /\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(join(REPOSITORY, dirname(path), target)))
        .map((target) => `${path} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name only source files that exist', () => {
    const known = new Set(filesOf('**/*.ts').flatMap(tailsOf));
    const unknown = ['docs/ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md'].flatMap((path) =>
      matchesOf(read(path), /`([\w./-]+\.ts)`/g)
        .map(([, name = '']) => name)
        .filter((name) => !known.has(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});

describe('every invariant', () => {
  const text = read(INVARIANTS);
  const ids = matchesOf(text, HEADING).map(([, id = '']) => id);

  it('has a number of its own, counted up', () => {
    expect(ids).toEqual(ids.map((_, index) => `I-${index + 1}`));
  });

  it('names at least one test, and each test exists under this title', () => {
    const sections = text.split(/^### /m).slice(1);
    expect(sections.filter((section) => matchesOf(section, TEST_LINE).length === 0)).toEqual([]);
    const missing = matchesOf(text, TEST_LINE).filter(([, path = '', title = '']) => {
      const file = join(REPOSITORY, path);
      return !existsSync(file) || !readFileSync(file, 'utf8').includes(title);
    });
    expect(missing.map(([line]) => line)).toEqual([]);
  });

  it('that the code cites is in the list', () => {
    const cited = filesOf('{services,packages,tests}/**/*.ts').flatMap((path) =>
      matchesOf(read(path), /\((I-\d+(?:, I-\d+)*)\)/g).flatMap(([, list = '']) =>
        list.split(', '),
      ),
    );
    expect(cited.filter((id) => !ids.includes(id))).toEqual([]);
  });
});

/** A path and all its endings: `a/b/c.ts`, `b/c.ts`, `c.ts`. */
function tailsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(index).join('/'));
}
