/**
 * `npm start`: builds what has changed, then becomes the launcher. Arguments are the launcher's (`npm start -- --help`).
 *
 * The launcher runs in this very process and the npm script says `exec`, so that there is no shell between npm and the
 * launcher: npm hands SIGTERM to its direct child only, and a shell would die of it and leave the services behind.
 */
import { build } from './build.ts';

const outcome = await build();
if (outcome.kind === 'failed') process.exitCode = 1;
else await import('../packages/launcher/src/main.ts');
