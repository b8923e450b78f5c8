import { createHash } from 'node:crypto';

/** An event as a store gave it back. */
export interface StoredEvent {
  readonly key: string;
  readonly text: string;
}

/** A store that runs on a folder. */
export interface RunningStore {
  /** Stores an event under a key of its own; resolves when the store has acknowledged it. The same key again must not store it twice. */
  append(key: string, text: string): Promise<void>;
  /** Everything that a reader gets, in order. Rejects when the store refuses a read or reports damage. */
  readAll(): Promise<StoredEvent[]>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Stops it in its usual way. */
  stop(): Promise<void>;
  /** The end of what it has printed. */
  readonly output: string;
}

export interface ReliabilitySubject {
  readonly name: string;
  readonly version: string;
  /** How it was set up, where that matters. */
  readonly setup: string;
  /** Starts it on a folder, empty or not. Rejects when it does not start. */
  start(folder: string): Promise<RunningStore>;
  /** The files below the folder that hold events, the oldest first. */
  eventFiles(folder: string): string[];
}

const TEXT_CHARACTERS = 200;

/** The text of an event, which follows from its key, so that a wrong one is recognized. */
export function textOf(key: string): string {
  const letters = createHash('sha512').update(key).digest('base64url').repeat(4);
  return JSON.stringify({ key, text: letters.slice(0, TEXT_CHARACTERS) });
}
