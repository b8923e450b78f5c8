import type { Target } from '../load/job.ts';

/** A running system under measurement. */
export interface RunningSubject {
  readonly target: Target;
  stop(): Promise<void>;
}

/** A system that can be measured on this machine. */
export interface Subject {
  readonly name: string;
  readonly version: string;
  /** What an acknowledgement of it means. */
  readonly ack: string;
  /** false: what it acknowledged can be lost when the power fails, so it is no equal comparison. */
  readonly isDurable: boolean;
  /** In-process subjects have one client. */
  readonly clientsMax: number;
  /** The comparisons that it takes part in; all of them unless it says. */
  readonly cases?: readonly string[];
  /** Whether an append can demand that the entity is at a version. */
  readonly hasConditions: boolean;
  /** Starts it on a fresh folder. */
  start(folder: string): Promise<RunningSubject>;
}

/** A system that is not here, and why. */
export interface MissingSubject {
  readonly name: string;
  readonly missing: string;
}
