/**
 * The life of a service process. It starts, prints where it listens, and stops on SIGTERM or SIGINT: readiness fails first, running requests
 * finish, stores are closed, and the exit code is 0. A start that cannot succeed prints one message for the person who reads it and exits with 2 (settings)
 * or 1. A second signal while stopping ends the process at once.
 *
 * A service that a launcher started with an IPC channel also stops when that channel closes: its launcher is gone, perhaps by kill -9, and a service
 * without one must not hold the data folder for ever.
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
  // Standard error is a pipe to the launcher; when that is gone, a message must not end the service before it has closed its stores.
  process.stderr.on('error', () => {});
  // Asked for before the start: a launcher may die while a large log is recovered.
  const orphaned = launcherGone();
  let service: RunningService;
  try {
    service = await start();
  } catch (error) {
    process.stderr.write(`${name} cannot start. ${startFault(error)}\n`);
    if (process.connected) process.disconnect();
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    return;
  }
  // The launcher waits for this line; see packages/launcher.
  process.stdout.write(`${name} ready at ${service.url}\n`);
  const reason = await Promise.race([
    stopSignal(),
    orphaned,
    service.failed ?? new Promise<string>(() => {}),
  ]);
  const isSignal = reason.startsWith('SIG');
  if (!isSignal) process.stderr.write(`${name} stops: ${reason}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  await service.close();
  // The channel would keep the process alive.
  if (process.connected) process.disconnect();
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

function launcherGone(): Promise<string> {
  return new Promise((resolve) => {
    if (process.connected) process.once('disconnect', () => resolve('its launcher is gone'));
  });
}
