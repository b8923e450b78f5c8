import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { FreshAccess } from '@allsource/service-kit/access';
import { type Route, sendProblem, toProblem } from '@allsource/service-kit/http';

export interface FreshAccessGateOptions {
  readonly access: FreshAccess;
  readonly routes: readonly Route[];
  readonly next: RequestListener;
}

/** Holds back a request whose key is not known until the newest keys are, so that a key works here as soon as core has made it. */
export function freshAccessGate({ access, routes, next }: FreshAccessGateOptions): RequestListener {
  const publicPaths = new Set(
    routes.filter((route) => route.needs === 'public').map((route) => route.path),
  );
  return (request, response) => {
    // Health must be told whatever key comes with the question, and above all when core is down.
    if (publicPaths.has(pathOf(request)) || access.isDecidable(request)) next(request, response);
    else void decideLater(request, response, { access, next });
  };
}

async function decideLater(
  request: IncomingMessage,
  response: ServerResponse,
  { access, next }: Pick<FreshAccessGateOptions, 'access' | 'next'>,
): Promise<void> {
  try {
    await access.refresh();
  } catch (error) {
    const context = { instance: pathOf(request) };
    sendProblem(response, toProblem(error), { edge: 'control-plane', context });
    return;
  }
  next(request, response);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0] ?? '';
}
