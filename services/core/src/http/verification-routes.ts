import { pipeline } from 'node:stream/promises';
import type { Call, Route } from '@allsource/service-kit/http';
import { INSPECTION_CONTENT_TYPE, VERIFY_PATH } from '@allsource/shared/protocol';
import type { VerificationRuns } from '../verify/verification-runs.ts';

/** The route by which an operator has a running core verify its log. */
export function verificationRoutes(runs: VerificationRuns): Route[] {
  return [
    {
      method: 'POST',
      path: VERIFY_PATH,
      needs: 'admin',
      summary: 'Verifies the log up to its head; answers findings and a summary as NDJSON.',
      handle: (call) => sendVerification(call, runs),
    },
  ];
}

async function sendVerification({ response }: Call, runs: VerificationRuns): Promise<void> {
  const run = runs.start();
  response.once('close', () => run.stop());
  response.setHeader('content-type', INSPECTION_CONTENT_TYPE);
  response.flushHeaders();
  try {
    await pipeline(run.lines, response, { end: false });
    await run.ended;
    response.end();
  } catch (error) {
    // The reader went away, which has stopped the run; everything else is for the log.
    if (!response.destroyed) throw error;
  }
}
