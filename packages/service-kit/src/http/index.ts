export { type BodyHold, BodyRoom } from './body-room.ts';
export { type AppOptions, createApp, REQUEST_ID } from './create-app.ts';
export { createHttpServer, type HttpServerOptions } from './create-http-server.ts';
export { discardBody } from './discard-body.ts';
export { createGuard, type Guard, type GuardOptions } from './guard.ts';
export { type HealthOptions, healthRoutes, type ReadinessCheck } from './health-routes.ts';
export { AnswerHeads } from './lane/answer-heads.ts';
export { ConnectionLane, type ConnectionLaneOptions } from './lane/connection-lane.ts';
export type { LaneReader, LaneTurn } from './lane/lane-connection.ts';
export { PLAIN_LINES, plainHeaders } from './lane/plain-headers.ts';
export { closeServer, type ListenOptions, listen } from './listen.ts';
export { allowLongRequest } from './long-requests.ts';
export { chooseFreePort, requireFreePort } from './port-check.ts';
export { rawProblem } from './raw-problem.ts';
export {
  isNdjson,
  jsonProblem,
  readBody,
  readBodyParts,
  readJsonObject,
  requireJson,
  requireUtf8,
  requireWellFormedJson,
} from './read-body.ts';
export {
  Call,
  type CallOptions,
  type Method,
  type Route,
  type RouteNeed,
  type TenantResolver,
} from './route.ts';
export {
  problemBody,
  problemHeaderLines,
  type ProblemPlace,
  sendProblem,
  toProblem,
} from './send-problem.ts';
export type { WebSocketListener } from './upgrades.ts';
