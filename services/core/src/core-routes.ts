import { type HealthOptions, healthRoutes, type Route } from '@allsource/service-kit/http';
import { type AccessRoutesOptions, accessRoutes } from './http/access-routes.ts';
import { type ArrowRoutesOptions, arrowRoutes } from './http/arrow-routes.ts';
import { consumerRoutes } from './http/consumer-routes.ts';
import { type EventReadRoutesOptions, eventReadRoutes } from './http/event-read-routes.ts';
import { definitionRoutes } from './http/definition-routes.ts';
import { forwardedRoutes, type QueryForward } from './http/forwarded-routes.ts';
import { type FeedRoutesOptions, feedRoutes } from './http/feed-routes.ts';
import {
  type ProjectionStateRoutesOptions,
  projectionStateRoutes,
} from './http/projection-state-routes.ts';
import { internalAppendRoutes } from './http/internal-append-route.ts';
import { schemaRoutes } from './http/schema-routes.ts';
import { type SseRoutesOptions, sseRoutes } from './http/sse-routes.ts';
import { type StatsRoutesOptions, statsRoutes } from './http/stats-routes.ts';
import { streamSocketRoutes } from './http/stream-socket.ts';
import { upcasterRoutes } from './http/upcaster-routes.ts';
import { verificationRoutes } from './http/verification-routes.ts';
import type { AppendRoute } from './http/append-route.ts';
import type { ConsumerService } from './consumers/consumer-service.ts';
import type { DefinitionService } from './definitions/definition-service.ts';
import type { SchemaService } from './schemas/schema-service.ts';
import type { UpcasterService } from './schemas/upcaster-service.ts';
import type { VerificationRuns } from './verify/verification-runs.ts';

export interface CoreRoutesOptions {
  readonly health: HealthOptions;
  readonly stats: StatsRoutesOptions;
  readonly access: AccessRoutesOptions;
  readonly feed: FeedRoutesOptions;
  readonly arrow: ArrowRoutesOptions;
  readonly appends: AppendRoute;
  readonly consumers: ConsumerService;
  readonly states: ProjectionStateRoutesOptions;
  readonly schemas: SchemaService;
  readonly upcasters: UpcasterService;
  readonly definitions: DefinitionService;
  readonly sse: SseRoutesOptions;
  readonly events: EventReadRoutesOptions;
  readonly verifications: VerificationRuns;
  /** Takes the reads that the query service owns. */
  readonly forward: QueryForward;
}

/** All routes of core that Express serves, in the order of their registration: fixed paths before paths with parameters. */
export function coreRoutes(options: CoreRoutesOptions): Route[] {
  return [
    ...healthRoutes(options.health),
    ...statsRoutes(options.stats),
    ...accessRoutes(options.access),
    ...feedRoutes(options.feed),
    ...arrowRoutes(options.arrow),
    ...internalAppendRoutes(options.appends),
    ...consumerRoutes(options.consumers, options.sse.upcasts),
    ...projectionStateRoutes(options.states),
    ...schemaRoutes(options.schemas),
    ...upcasterRoutes(options.upcasters),
    ...definitionRoutes(options.definitions),
    ...streamSocketRoutes(),
    ...sseRoutes(options.sse),
    ...verificationRoutes(options.verifications),
    ...forwardedRoutes(options.forward),
    ...eventReadRoutes(options.events),
  ];
}
