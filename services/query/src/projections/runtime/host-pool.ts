/**
 * The processes that carry out workers, and who is in which.
 *
 * Workers of definitions with code of their owner (`custom`) are never in one process with others; within a process all have fair turns. A worker whose process has ended twice
 * gets a process of its own, so that the one at fault is alone when it ends the next time.
 */
import type { HostCommand, HostReport, TaskJob } from './host-protocol.ts';
import { HostProcess } from './host-process.ts';

type TaskMessage = Exclude<HostReport, { readonly kind: 'alive' }>;

export interface HostedTask {
  send(command: TaskCommandOf): void;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A command without the name of the worker. */
export type TaskCommandOf = DistributiveOmit<
  Exclude<HostCommand, { readonly kind: 'open' | 'ping' }>,
  'task'
>;

export interface HostedTaskOptions {
  readonly job: TaskJob;
  /** Null for a process shared with others. */
  readonly aloneAs: string | null;
  readonly onMessage: (message: TaskMessage) => void;
  /** Told when its process has ended; it is not in the pool any more. */
  readonly onLost: (how: string) => void;
}

interface Host {
  readonly group: string;
  readonly process: HostProcess;
  readonly tasks: Map<string, HostedTaskOptions>;
}

export class HostPool {
  readonly #sharedMax: number;
  readonly #hosts = new Set<Host>();
  readonly #stopping = new Set<Promise<void>>();
  #opened = 0;

  /** `sharedMax` is the number of processes for definitions without code, and again for those with it. */
  constructor(sharedMax: number) {
    this.#sharedMax = sharedMax;
  }

  /** The ids of the processes, for tests and figures. */
  get pids(): number[] {
    return [...this.#hosts].flatMap(({ process }) => process.pid ?? []);
  }

  /** Opens a worker in one of the processes. */
  open(options: HostedTaskOptions): HostedTask {
    const host = this.#hostFor(options);
    const task = `task-${++this.#opened}`;
    host.tasks.set(task, options);
    host.process.send({ kind: 'open', task, job: options.job });
    return { send: (command) => host.process.send({ ...command, task }) };
  }

  /** Ends all processes, which save first. */
  async close(): Promise<void> {
    for (const host of this.#hosts) this.#stop(host);
    await Promise.all(this.#stopping);
  }

  #hostFor({ job, aloneAs }: HostedTaskOptions): Host {
    const group = aloneAs ?? (job.computed.type === 'custom' ? 'code' : 'plain');
    const hosts = [...this.#hosts].filter((host) => host.group === group);
    const max = aloneAs === null ? this.#sharedMax : 1;
    const [least] = hosts.toSorted((one, other) => one.tasks.size - other.tasks.size);
    const isNewWanted = least === undefined || (least.tasks.size > 0 && hosts.length < max);
    return isNewWanted ? this.#start(group) : least;
  }

  #start(group: string): Host {
    const host: Host = {
      group,
      tasks: new Map(),
      process: new HostProcess({
        onReport: (report) => this.#take(host, report),
        onEnded: (how) => this.#noteEnded(host, how),
      }),
    };
    this.#hosts.add(host);
    return host;
  }

  #take(host: Host, report: TaskMessage): void {
    const task = host.tasks.get(report.task);
    if (report.kind === 'closed') {
      host.tasks.delete(report.task);
      if (host.tasks.size === 0) this.#stop(host);
    }
    task?.onMessage(report);
  }

  /** A process without workers costs memory. */
  #stop(host: Host): void {
    this.#hosts.delete(host);
    const stopped: Promise<void> = host.process
      .stop()
      .finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #noteEnded(host: Host, how: string): void {
    this.#hosts.delete(host);
    const lost = [...host.tasks.values()];
    host.tasks.clear();
    for (const { onLost } of lost) onLost(how);
  }
}
