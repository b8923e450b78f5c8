import { accessSync, constants } from 'node:fs';

/** Why this process may not read and write a file; null when it may. */
export function accessRefusal(path: string): string | null {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
