/**
 * The life of a service process. It starts, prints where it listens, and stops on SIGTERM or SIGINT: readiness fails first, running requests
 * finish, stores are closed, and the exit code is 0. A start that cannot succeed prints one message for the person who reads it and exits with 2 (settings)
 * or 1. A second signal while stopping ends the process at once.
 */
import { Problem } from '@allsource/shared/errors';
import { ConfigError } from '../config/read-settings.ts';

export interface RunningService {
  /** Where it listens, for the line that says that it is ready. */
  readonly url: string;
  /** Stops; called once. */
  close(): Promise<void>;
  /** Resolves with a reason when the service cannot go on and must stop by itself. */
  readonly failed?: Promise<string>;
}

/** Runs a service until it is told to stop. */
export async function runService(
  name: string,
  start: () => Promise<RunningService>,
): Promise<void> {
  let service: RunningService;
  try {
    service = await start();
  } catch (error) {
    process.stderr.write(`${name} cannot start. ${startFault(error)}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    return;
  }
  // The launcher waits for this line; see packages/launcher.
  process.stdout.write(`${name} ready at ${service.url}\n`);
  const reason = await Promise.race([
    stopSignal(),
    service.failed ?? new Promise<string>(() => {}),
  ]);
  const isSignal = reason.startsWith('SIG');
  if (!isSignal) process.stderr.write(`${name} stops: ${reason}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  await service.close();
  process.exitCode = isSignal ? 0 : 1;
}

function startFault(error: unknown): string {
  if (error instanceof ConfigError || error instanceof Problem) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => resolve(signal));
  });
}
