import type { Route } from '@allsource/service-kit/http';
import { streamFormatOf } from '@allsource/shared/protocol';
import { EventStreams, type EventStreamsOptions } from '../formats/event-streams.ts';

const QUERY = /\/events\/query$/;

/** The routes of events, with queries that are answered as NDJSON or Arrow where the Accept header asks for it. All else goes on as it was. */
export function withEventStreams(routes: readonly Route[], options: EventStreamsOptions): Route[] {
  const streams = new EventStreams(options);
  return routes.map((route) => {
    if (!QUERY.test(route.path)) return route;
    const handle: Route['handle'] = (call) => {
      const format = streamFormatOf(call.request.headers.accept);
      return format === null ? route.handle(call) : streams.answer(call, format);
    };
    return { ...route, handle };
  });
}
