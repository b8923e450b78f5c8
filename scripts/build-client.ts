/** `npm run build:client [-- --out=FOLDER]`: the TypeScript client as it is published, in packages/client/dist, with nothing to install beside it. */
import { buildPackage } from './published-package.ts';

// The door for tools stays in the workspace.
await buildPackage({
  folder: 'client',
  description: 'The TypeScript client of the AllSource event store.',
  doors: ['index', 'testing'],
});
