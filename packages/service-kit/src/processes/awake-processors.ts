/**
 * Keeps the processors of this machine awake while somebody waits for each answer. Waking a processor that has gone to sleep takes long, on virtual machines as long as a sync of the disk, and a client that
 * waits for each answer puts several to sleep each time: that of the service, its own, and the one that hears from the disk. Linux lets a process ask for it with an open file, and forgets the wish when
 * the file is closed or the process ends (https://docs.kernel.org/power/pm_qos_interface.html).
 *
 * It is a wish for the whole machine: all its processors turn idly instead of sleeping, whoever's they are. So it is held only while it is needed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Logger } from '../observability/index.ts';

/** What Linux takes such wishes by. It belongs to root; an administrator may let others write there. */
const DEVICE = '/dev/cpu_dma_latency';
/** So long after the last need the wish is dropped. */
const LINGER_MS = 200;
const LOOK_MS = 50;
/** The microseconds that waking may take, as 32 bits. */
const AT_ONCE = new Uint8Array(4);

export interface AwakeProcessorsOptions {
  /** Called once, when the system refuses: nothing is tried again. */
  readonly onRefused: (error: Error) => void;
  /** Another file in its place. Default: that of the system. */
  readonly device?: string;
  /** A clock that never goes back, in milliseconds. Default: the process's. */
  readonly nowMs?: () => number;
}

export class AwakeProcessors {
  readonly #device: string;
  readonly #nowMs: () => number;
  readonly #onRefused: (error: Error) => void;
  #descriptor: number | null = null;
  #isRefused = false;
  #neededAt = 0;
  #look: NodeJS.Timeout | null = null;

  constructor({
    onRefused,
    device = DEVICE,
    nowMs = () => performance.now(),
  }: AwakeProcessorsOptions) {
    this.#device = device;
    this.#nowMs = nowMs;
    this.#onRefused = onRefused;
  }

  /** They are needed at a moment of the clock: awake from here on, for a fifth of a second at least. */
  need(atMs: number): void {
    this.#neededAt = atMs;
    if (this.#descriptor === null && !this.#isRefused) this.#hold();
  }

  /** Lets them sleep. */
  close(): void {
    if (this.#look !== null) clearInterval(this.#look);
    this.#look = null;
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #hold(): void {
    try {
      this.#descriptor = openSync(this.#device, 'r+');
      writeSync(this.#descriptor, AT_ONCE);
      this.#look = setInterval(() => this.#dropWhenQuiet(), LOOK_MS).unref();
    } catch (error) {
      this.close();
      this.#isRefused = true;
      this.#onRefused(error as Error);
    }
  }

  #dropWhenQuiet(): void {
    if (this.#nowMs() - this.#neededAt >= LINGER_MS) this.close();
  }
}

/** Those of a service; null where its settings do not ask for it. A refusal is in its log, once. */
export function awakeProcessorsOf(
  { keepAwake }: { readonly keepAwake: boolean },
  logger: Pick<Logger, 'info'>,
): AwakeProcessors | null {
  if (!keepAwake) return null;
  return new AwakeProcessors({
    onRefused: (error) =>
      logger.info(
        { reason: error.message },
        `a client waits for each answer, and the processors may sleep meanwhile: where the user of this service may write to ${DEVICE} they are kept awake, and its answers are quicker. ALLSOURCE_KEEP_AWAKE=false says that this is as wanted`,
      ),
  });
}
