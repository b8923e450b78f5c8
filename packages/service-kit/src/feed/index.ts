export type { FrameSink } from './frame-sink.ts';
export type { FollowerStatus, LogFollower } from './log-follower.ts';
