/**
 * One process owns a data folder at a time. The lock is a listening local socket named after the folder: on Linux in the abstract
 * namespace, which the kernel drops with the process, also after kill -9, so no stale lock is left to be removed by hand. Elsewhere the socket is a
 * file in the temporary folder; one that nobody answers on is stale and is replaced. The file `owner.json` beside the data says
 * who holds the lock, for the message. The lock covers one machine and one network namespace: containers that share a volume
 * are kept apart by their orchestrator (one replica, a volume that one pod may mount).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../config/read-settings.ts';
import { makeFolder } from '../files/folders.ts';

export interface FolderLock {
  release(): Promise<void>;
}

/** The process that holds a lock, as far as it has said so. */
export interface LockOwner {
  readonly owner: string;
  readonly pid: number | null;
}

/** Takes the lock of a folder, making the folder if needed. Throws a {@link ConfigError} that names the owner when it is taken. */
export async function lockFolder(folder: string, owner: string): Promise<FolderLock> {
  await makeFolder(folder);
  const address = lockAddress(folder);
  await removeStaleSocketFile(address);
  const server = createServer();
  // The socket exists only to be held; nobody is served.
  server.on('connection', (socket) => socket.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? lockedFault(folder) : error);
    });
    server.listen(address, resolve);
  });
  writeFileSync(join(folder, 'owner.json'), JSON.stringify({ owner, pid: process.pid }));
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Who has a folder locked: null when nobody has, or there is no such folder. Looks only, takes nothing, and leaves no trace. */
export async function lockedBy(folder: string): Promise<LockOwner | null> {
  if (!existsSync(folder)) return null;
  const isHeld = await new Promise<boolean>((resolve) => {
    const socket = connect(lockAddress(folder), () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  return isHeld ? (writtenOwner(folder) ?? { owner: 'another process', pid: null }) : null;
}

function lockAddress(folder: string): string {
  const name = `allsource-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)}`;
  if (platform() === 'linux') return `\0${name}`;
  return platform() === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.lock`);
}

async function removeStaleSocketFile(address: string): Promise<void> {
  if (platform() === 'linux' || platform() === 'win32' || !existsSync(address)) return;
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = connect(address, () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!isAnswered) rmSync(address);
}

function lockedFault(folder: string): ConfigError {
  return new ConfigError([
    `The data folder ${folder} is in use by ${ownerOf(folder)}. Stop it first, or set ALLSOURCE_DATA_DIR to another folder.`,
  ]);
}

function ownerOf(folder: string): string {
  const written = writtenOwner(folder);
  return written === null ? 'another process' : `${written.owner} (process ${written.pid})`;
}

function writtenOwner(folder: string): LockOwner | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as LockOwner;
  } catch {
    // The owner may be between taking the lock and writing its name; the lock itself is what counts.
    return null;
  }
}
