/** `npm run build:emmett [-- --out=FOLDER]`: the Emmett event store as it is published, in packages/emmett/dist, beside which the client and Emmett are installed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackage, versionOf } from './published-package.ts';

const source = join(import.meta.dirname, '../packages/emmett/package.json');
const { peerDependencies } = JSON.parse(readFileSync(source, 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
};

await buildPackage({
  folder: 'emmett',
  description: 'An Emmett event store on an AllSource store.',
  doors: ['index'],
  dependencies: { '@allsource/client': versionOf('client') },
  peerDependencies,
});
