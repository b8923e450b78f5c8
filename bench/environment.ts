/** What a reader has to know about the machine to judge the figures. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  readonly commit: string;
}

/** Describes this machine and the disk of a folder. Throws when that folder lies in memory: such figures would be lies. */
export function describeMachine(folder: string): Machine {
  const fileSystem = output('stat', ['-f', '-c', '%T', folder]);
  if (/tmpfs|ramfs/.test(fileSystem)) {
    throw new Error(`${folder} lies on ${fileSystem}, which is no disk. Choose --run-folder=PATH.`);
  }
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    fileSystem,
    commit: output('git', ['-C', import.meta.dirname, 'describe', '--always', '--dirty']),
  };
}

/** The load average of the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? Number.NaN;
}

/** The path of a program: in the folders (globs) given, or on the PATH; null when it is not here. */
export function findProgram(name: string, folders: readonly string[] = []): string | null {
  const places = [...folders.flatMap((folder) => globSync(folder)), ...onPath()];
  return places.map((place) => join(place, name)).find((path) => existsSync(path)) ?? null;
}

/** The first line that a command prints, or "unknown". */
export function output(command: string, args: readonly string[]): string {
  try {
    const text = execFileSync(command, [...args], { encoding: 'utf8', stdio: 'pipe' });
    return text.trim().split('\n')[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function onPath(): string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
}
