export { createLogFollower, type LogFollowerOptions } from './create-log-follower.ts';
export type { FollowerTimers } from './follower-timers.ts';
export type { FrameSink } from './frame-sink.ts';
export type { FollowerStatus, LogFollower } from './log-follower.ts';
export { NatsLink, type NatsLinkOptions } from './nats-link.ts';
