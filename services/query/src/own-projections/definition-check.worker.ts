/** The thread in which a definition with code of its author is made ready once, to see that it can be; see definition-check.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { compileProjection } from '../projections/kinds/compile-projection.ts';
import type { CheckAnswer, Checked } from './definition-check.ts';

async function answer(): Promise<CheckAnswer> {
  try {
    const compiled = await compileProjection(workerData as Checked);
    compiled.close();
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { code: error.code, detail: error.message, members: error.members };
  }
}

must(parentPort, 'a worker has a parent').postMessage(await answer());
