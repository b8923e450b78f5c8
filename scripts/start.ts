/**
 * `npm start`: builds what has changed, then becomes the launcher. It runs in this very process, so that the Ctrl-C or
 * SIGTERM which npm hands down reaches it; arguments are the launcher's (`npm start -- --help`).
 */
import { build } from './build.ts';

await build();
await import('../packages/launcher/src/main.ts');
