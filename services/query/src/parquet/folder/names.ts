/**
 * Where things lie in the folder:
 *
 *     position.json                        how far the files go
 *     manifests/<tenant>.json              which files of a tenant count
 *     tenants/<tenant>/<first>-<last>.<generation>.parquet
 *
 * A tenant's id stands for itself, with a `+` before each capital, because some file systems do not tell capitals from small letters.
 */

const POSITION_DIGITS = 16;
const MANIFEST_SUFFIX = '.json';

export const POSITION_FILE = 'position.json';
export const MANIFEST_FOLDER = 'manifests';

export function folderNameOf(tenant: string): string {
  return tenant.replace(/[A-Z]/g, (capital) => `+${capital.toLowerCase()}`);
}

export function tenantOfFolderName(name: string): string {
  return name.replace(/\+([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

export function tenantFolder(tenant: string): string {
  return `tenants/${folderNameOf(tenant)}`;
}

export function manifestName(tenant: string): string {
  return `${MANIFEST_FOLDER}/${folderNameOf(tenant)}${MANIFEST_SUFFIX}`;
}

/** The tenant whose manifest has this name in the folder of manifests; null for another file. */
export function tenantOfManifest(name: string): string | null {
  return name.endsWith(MANIFEST_SUFFIX)
    ? tenantOfFolderName(name.slice(0, -MANIFEST_SUFFIX.length))
    : null;
}

/** Names sort like positions. */
export function fileNameOf(range: {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly generation: number;
}): string {
  const { firstPosition, lastPosition, generation } = range;
  return `${digits(firstPosition)}-${digits(lastPosition)}.${generation}.parquet`;
}

function digits(position: number): string {
  return String(position).padStart(POSITION_DIGITS, '0');
}
