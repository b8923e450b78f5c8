/**
 * The processes that carry out workers, and who is in which.
 *
 * Workers of definitions with code of their owner are never in one process with others; within a process all have fair turns. A worker whose process has ended twice
 * gets a process of its own, so that the one at fault is alone when it ends the next time.
 */
import type { HostCommand, HostReport, TaskJob } from './host-protocol.ts';
import type { Host, HostOptions } from './host-process.ts';

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

interface UsedHost {
  readonly group: string;
  readonly host: Host;
  readonly tasks: Map<string, HostedTaskOptions>;
}

export interface HostPoolOptions {
  /** The number of processes for definitions without code, and again for those with it. */
  readonly sharedMax: number;
  readonly start: (options: HostOptions) => Host;
}

export class HostPool {
  readonly #sharedMax: number;
  readonly #hosts = new Set<UsedHost>();
  readonly #stopping = new Set<Promise<void>>();
  #opened = 0;

  readonly #start: (options: HostOptions) => Host;

  constructor({ sharedMax, start }: HostPoolOptions) {
    this.#sharedMax = sharedMax;
    this.#start = start;
  }

  /** The ids of the processes, for tests and figures. */
  get pids(): number[] {
    return [...this.#hosts].flatMap(({ host }) => host.pid ?? []);
  }

  /** Opens a worker in one of the processes. */
  open(options: HostedTaskOptions): HostedTask {
    const { host, tasks } = this.#hostFor(options);
    const task = `task-${++this.#opened}`;
    tasks.set(task, options);
    host.send({ kind: 'open', task, job: options.job });
    return { send: (command) => host.send({ ...command, task }) };
  }

  /** Ends all processes, which save first. */
  async close(): Promise<void> {
    for (const used of this.#hosts) this.#stop(used);
    await Promise.all(this.#stopping);
  }

  #hostFor({ job, aloneAs }: HostedTaskOptions): UsedHost {
    const group = aloneAs ?? (hasCode(job) ? 'code' : 'plain');
    const hosts = [...this.#hosts].filter((used) => used.group === group);
    const max = aloneAs === null ? this.#sharedMax : 1;
    const [least] = hosts.toSorted((one, other) => one.tasks.size - other.tasks.size);
    const isNewWanted = least === undefined || (least.tasks.size > 0 && hosts.length < max);
    return isNewWanted ? this.#begin(group) : least;
  }

  #begin(group: string): UsedHost {
    const tasks = new Map<string, HostedTaskOptions>();
    const used: UsedHost = {
      group,
      tasks,
      host: this.#start({
        onReport: (report) => this.#take(used, report),
        onEnded: (how) => this.#noteEnded(used, how),
      }),
    };
    this.#hosts.add(used);
    return used;
  }

  #take(used: UsedHost, report: TaskMessage): void {
    const task = used.tasks.get(report.task);
    if (report.kind === 'closed') {
      used.tasks.delete(report.task);
      if (used.tasks.size === 0) this.#stop(used);
    }
    task?.onMessage(report);
  }

  /** A process without workers costs memory. */
  #stop(used: UsedHost): void {
    this.#hosts.delete(used);
    const stopped: Promise<void> = used.host.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #noteEnded(used: UsedHost, how: string): void {
    this.#hosts.delete(used);
    const lost = [...used.tasks.values()];
    used.tasks.clear();
    for (const { onLost } of lost) onLost(how);
  }
}

function hasCode({ computed: { type, definition } }: TaskJob): boolean {
  return type === 'custom' && ('source' in definition || 'language' in definition);
}
