import type { EventEmitter } from 'node:events';
import { deferred } from '@allsource/shared/lang';

// SIGHUP keeps the system's meaning, so that nohup works; a launcher that it ends takes the services with it, as any dead launcher does.
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

// npm hands Ctrl-C on to its child, which the terminal has sent it to already. Signals this close together are one wish to stop.
const SAME_WISH_MS = 500;

/** The wishes to stop that reach this process: the first asks for a clean stop, the second for an immediate one. */
export class StopSignals {
  /** Resolves with the name of the first signal. */
  readonly first: Promise<string>;
  /** Resolves with the name of a signal that came after the first, and not together with it. */
  readonly second: Promise<string>;

  /** Listens on `source`, which emits signals by their names as `process` does. */
  constructor(source: EventEmitter, nowMs: () => number = () => performance.now()) {
    const first = deferred<string>();
    const second = deferred<string>();
    this.first = first.promise;
    this.second = second.promise;
    let firstAtMs: number | null = null;
    for (const signal of STOP_SIGNALS) {
      source.on(signal, () => {
        firstAtMs ??= nowMs();
        if (nowMs() - firstAtMs >= SAME_WISH_MS) second.resolve(signal);
        first.resolve(signal);
      });
    }
  }
}
