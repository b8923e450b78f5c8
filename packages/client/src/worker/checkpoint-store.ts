import type { CallOptions } from '../http/connection.ts';

/** A worker's state and the position that it is true at. */
export interface Checkpoint<Saved = unknown> {
  /** Everything up to this place of the log that the worker is for has been applied, once. */
  readonly position: number;
  /** JSON: what the worker's `encode` has made of its state. */
  readonly state: Saved;
}

/**
 * Where workers keep their checkpoints. A save replaces the checkpoint in one step: whatever happens in the middle, a load finds the old one or the new
 * one. `state` is not to be kept beyond the call's first wait: the worker goes on changing it.
 */
export interface CheckpointStore {
  /** The checkpoint of a worker; null when there is none. */
  load(name: string, options?: CallOptions): Promise<Checkpoint | null>;
  save(name: string, checkpoint: Checkpoint, options?: CallOptions): Promise<void>;
}
