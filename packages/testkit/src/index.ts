export { accessRefusal } from './access-refusal.ts';
export { type Answer, answerOf, type Json, jsonBody, requestBody } from './answer.ts';
export { Cleanups } from './cleanups.ts';
export {
  CHANGING_CALLS,
  DISK_CALLS,
  type DiskCall,
  diskError,
  type DiskFault,
  type DiskHook,
  failAtCall,
  type FaultAtCall,
} from './disk/disk-fault.ts';
export { SimulatedDisk } from './disk/simulated-disk.ts';
export { seededSurvival, type Survival, survivalOf } from './disk/survival.ts';
export { type EventLog, type EventLogName, eventLog, type LoggedEvent } from './event-log.ts';
export { FakeClock } from './fake-clock.ts';
export { eachSeed, isLong, report, seed } from './fault-run.ts';
export { hasOpen } from './has-open.ts';
export { LaneClient, type LaneRequest } from './lane-client.ts';
export {
  auditParameters,
  type ParameterAudit,
  type ParameterReader,
  type ReadingRoute,
} from './parameter-audit.ts';
export { type AuditedRoute, auditRoutes, mountedRoutes, type RouteAudit } from './route-audit.ts';
export { reportNotTested } from './not-tested.ts';
export { SeededRandom } from './seeded-random.ts';
export { until } from './until.ts';
export { withoutStacks } from './without-stacks.ts';
export { type RawAnswer, RawConnection } from './raw-connection.ts';
