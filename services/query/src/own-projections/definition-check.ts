/**
 * Makes sure that what a definition says can be computed, before it is kept. Code of its author is loaded in a thread that is thrown away after it: it may use up
 * its steps there without holding up any request. One is checked at a time, the others wait, and not many of them.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, problem, type ProblemMembers } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import { compileProjection } from '../projections/kinds/compile-projection.ts';

/** The part of a definition that is checked. */
export type Checked = Pick<ProjectionDefinition, 'type' | 'definition'>;

/** What the thread says; null: the definition is good. */
export type CheckAnswer = {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly members: ProblemMembers;
} | null;

const HEAP_MIB_MAX = 256;
/** The steps of a check are limited; only a machine with much else to do takes as long as this. */
const CHECK_MS_MAX = 25_000;

export class DefinitionCheck {
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #worker: Worker | null = null;
  #isClosed = false;

  /** Resolves when the definition can be computed. Throws `invalid_body` with a pointer into the request, or `overloaded`. */
  async check(checked: Checked): Promise<void> {
    if (checked.type !== 'custom') {
      (await compileProjection(checked)).close();
      return;
    }
    if (this.#waiting >= LIMITS.definitionChecksWaitingMax)
      throw problem('overloaded', 'Too many definitions are being checked. Try again shortly.', {
        limit: LIMITS.definitionChecksWaitingMax,
      });
    this.#waiting += 1;
    const run = this.#turn.then(() => this.#checkApart(checked));
    this.#turn = run.catch(() => undefined);
    try {
      await run;
    } finally {
      this.#waiting -= 1;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  async #checkApart(checked: Checked): Promise<void> {
    if (this.#isClosed) throw problem('shutting_down', 'The service is shutting down.');
    const worker = new Worker(workerFile(), {
      workerData: { type: checked.type, definition: checked.definition },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    this.#worker = worker;
    try {
      const answer = await answerOf(worker);
      if (answer !== null) throw problem(answer.code, answer.detail, answer.members);
    } finally {
      this.#worker = null;
      await worker.terminate();
    }
  }
}

function answerOf(worker: Worker): Promise<CheckAnswer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooBusy()), CHECK_MS_MAX);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      settle();
    };
    worker.once('message', (answer: CheckAnswer) => end(() => resolve(answer)));
    worker.once('error', (error) => end(() => reject(notChecked(error.message, error))));
    worker.once('exit', () => end(() => reject(notChecked('the check has ended'))));
  });
}

function tooBusy(): Error {
  return problem(
    'overloaded',
    `The definition was not checked within ${CHECK_MS_MAX} ms. Try again shortly.`,
  );
}

function notChecked(reason: string, cause?: unknown): Error {
  return problem(
    'invalid_body',
    `The definition could not be checked: ${reason}.`,
    { pointer: '/definition' },
    cause,
  );
}

/** The bundle lies beside the service's; a service that runs from its sources starts the source. */
function workerFile(): string {
  const isSource = import.meta.filename.endsWith('.ts');
  return join(import.meta.dirname, `definition-check.worker.${isSource ? 'ts' : 'js'}`);
}
