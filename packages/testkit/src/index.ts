export { type EventLog, type EventLogName, eventLog, type LoggedEvent } from './event-log.ts';
export { LaneClient, type LaneLine, type LaneRequest } from './lane-client.ts';
export { type AuditedRoute, auditRoutes, mountedRoutes, type RouteAudit } from './route-audit.ts';
export { SeededRandom } from './seeded-random.ts';
