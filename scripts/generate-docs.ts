/**
 * `npm run docs`: writes the documents that are made from the code. A test compares them with what is in the repository, so that
 * they cannot fall behind.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { settingsTable } from '../packages/service-kit/src/config/index.ts';
import { ERROR_CATALOGUE } from '../packages/shared/src/errors/index.ts';
import { repositoryRoot } from './build.ts';

const NOTICE = '<!-- Made by `npm run docs`. Change the code, not this file. -->';

/** Every generated document: its path in the repository and its text. */
export function generatedDocuments(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/guides/settings.md', settingsGuide()],
    ['docs/guides/errors.md', errorsGuide()],
  ]);
}

function settingsGuide(): string {
  return document([
    '# Settings',
    'Settings come from the environment. Each service reads the ones it needs; the launcher behind `npm start` hands all of them on. A value ' +
      'that is not allowed, or a name that begins with `ALLSOURCE_` and is not in this table, stops the start with a message that says what is ' +
      'allowed. An empty value counts as not set.',
    // GitHub takes <words> for HTML.
    settingsTable().replaceAll('<', '&lt;'),
    'The `allsource` command reads `ALLSOURCE_URL` and `ALLSOURCE_API_KEY`, and finds the key of a store on this machine in `ALLSOURCE_DATA_DIR`.',
  ]);
}

function errorsGuide(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(
    ([code, { status, title, retryable }]) =>
      `| \`${code}\` | ${status} | ${title} | ${retryable ? 'yes' : 'no'} |`,
  );
  return document([
    '# Error codes',
    'Every refusal carries a code of this table in its member `code`, a sentence in `detail`, and the numbers to act on (a limit, a version, a ' +
      'position) as further members. "Retry" says whether the same request may succeed later unchanged.',
    ['| code | status | meaning | retry |', '|---|---|---|---|', ...rows].join('\n'),
    'The member `error` differs by service, because existing clients expect it so: a text at core (and for `version_conflict` there, nothing but the members those clients know), an object with `code` and `message` at the ' +
      'query service, the code itself at the control plane.',
  ]);
}

function document(paragraphs: readonly string[]): string {
  return `${[NOTICE, ...paragraphs].join('\n\n')}\n`;
}

if (import.meta.main) {
  for (const [path, text] of generatedDocuments()) {
    mkdirSync(dirname(join(repositoryRoot, path)), { recursive: true });
    writeFileSync(join(repositoryRoot, path), text);
    console.log(`wrote ${path}`);
  }
}
