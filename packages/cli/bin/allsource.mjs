#!/usr/bin/env node
// The `allsource` command. The code is in ../src; `npm run build` bundles it into ../dist/main.js.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(main)) {
  console.error(
    'allsource is not built yet. Run `npm run build` in the repository, then try again.',
  );
  process.exit(1);
}
await import(main.href);
