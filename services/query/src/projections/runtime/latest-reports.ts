import type { TaskReport } from './host-protocol.ts';

/** How long a report may wait for a later one that replaces it. */
const WAIT_MS = 10;

/** Sends the newest report of each worker, each at most every few milliseconds: the first at once, the last always. */
export class LatestReports {
  readonly #send: (task: string, report: TaskReport) => void;
  readonly #waiting = new Map<string, TaskReport | null>();

  constructor(send: (task: string, report: TaskReport) => void) {
    this.#send = send;
  }

  add(task: string, report: TaskReport): void {
    if (this.#waiting.has(task)) {
      this.#waiting.set(task, report);
      return;
    }
    this.#send(task, report);
    this.#rest(task);
  }

  /** Sends at once what waits of a worker. */
  flush(task: string): void {
    const report = this.#waiting.get(task);
    if (report === undefined || report === null) return;
    this.#waiting.set(task, null);
    this.#send(task, report);
  }

  #rest(task: string): void {
    this.#waiting.set(task, null);
    setTimeout(() => {
      const report = this.#waiting.get(task);
      this.#waiting.delete(task);
      if (report === undefined || report === null) return;
      this.#send(task, report);
      this.#rest(task);
    }, WAIT_MS);
  }
}
