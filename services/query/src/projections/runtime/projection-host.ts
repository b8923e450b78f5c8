import { unreachable } from '@allsource/shared/lang';
import type { CompiledProjection, CompileProjection } from '../kinds/compiled-projection.ts';
import { FairTurns } from './fair-turns.ts';
import { faultText } from './fault-desk.ts';
import type {
  HostCommand,
  HostReport,
  TaskAnswer,
  TaskJob,
  TaskQuestion,
} from './host-protocol.ts';
import { LatestReports } from './latest-reports.ts';
import { ProjectionTask } from './projection-task.ts';
import { SharedFeed } from './shared-feed.ts';

type TaskCommand = Exclude<HostCommand, { readonly kind: 'open' | 'ping' }>;

export interface ProjectionHostOptions {
  readonly compile: CompileProjection;
  readonly nowMs: () => number;
  readonly send: (report: HostReport) => void;
}

/** The workers of one process, which share its thread in fair turns. Commands of a worker are carried out in the order in which they come. */
export class ProjectionHost {
  readonly #options: ProjectionHostOptions;
  readonly #turns = new FairTurns();
  readonly #feed = new SharedFeed();
  readonly #tasks = new Map<string, Promise<ProjectionTask | null>>();
  readonly #reports: LatestReports;

  constructor(options: ProjectionHostOptions) {
    this.#options = options;
    this.#reports = new LatestReports((task, report) =>
      options.send({ kind: 'report', task, report }),
    );
  }

  take(command: HostCommand): void {
    if (command.kind === 'ping') {
      this.#options.send({ kind: 'alive' });
      return;
    }
    const { task } = command;
    if (command.kind === 'open') {
      this.#tasks.set(task, this.#open(task, command.job));
      return;
    }
    void this.#pass(command);
  }

  /** Saves and closes everything. */
  async close(): Promise<void> {
    const tasks = await Promise.all(this.#tasks.values());
    await Promise.all(tasks.flatMap((task) => (task === null ? [] : task.close())));
  }

  async #pass(command: TaskCommand): Promise<void> {
    const task = await this.#tasks.get(command.task);
    if (task !== undefined && task !== null) await this.#obey(task, command);
  }

  async #open(task: string, job: TaskJob): Promise<ProjectionTask | null> {
    const { compile, nowMs } = this.#options;
    let compiled: CompiledProjection;
    try {
      compiled = await compile(job.computed);
    } catch (error) {
      this.#noteClosed(task, { cause: 'definition', reason: faultText(error) });
      return null;
    }
    try {
      return new ProjectionTask({
        job,
        compiled,
        turns: this.#turns,
        feed: this.#feed,
        nowMs,
        onReport: (report) => this.#reports.add(task, report),
        onClosed: (fault) =>
          this.#noteClosed(task, {
            cause: fault === null ? 'wanted' : 'fault',
            reason: fault ?? '',
          }),
      });
    } catch (error) {
      compiled.close();
      this.#noteClosed(task, { cause: 'fault', reason: faultText(error) });
      return null;
    }
  }

  #noteClosed(
    task: string,
    why: { readonly cause: 'wanted' | 'fault' | 'definition'; readonly reason: string },
  ): void {
    this.#reports.flush(task);
    this.#tasks.delete(task);
    this.#options.send({ kind: 'closed', task, ...why });
  }

  async #obey(opened: ProjectionTask, command: TaskCommand): Promise<void> {
    switch (command.kind) {
      case 'follow':
        return opened.follow();
      case 'hold':
        return await opened.hold();
      case 'tune':
        return opened.tune(command.config);
      case 'want':
        return opened.want(command.position);
      case 'ask': {
        const { task, id, question } = command;
        const answer = await answerOf(opened, question);
        this.#reports.flush(task);
        this.#options.send({ kind: 'answer', task, id, answer });
        return;
      }
      case 'close':
        return await opened.close();
      default:
        return unreachable(command);
    }
  }
}

async function answerOf(task: ProjectionTask, question: TaskQuestion): Promise<TaskAnswer> {
  try {
    if (question.kind === 'retry') return await task.retry(question.entity);
    return { kind: 'summary', summary: await task.summarize(question) };
  } catch (error) {
    return { kind: 'refused', reason: faultText(error) };
  }
}
