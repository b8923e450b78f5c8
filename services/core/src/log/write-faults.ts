/** A sync has failed. Whatever its code, nobody knows what is on the disk, so it never counts as a full disk. */
export class SyncFailure extends Error {
  override readonly name = 'SyncFailure';

  constructor(cause: unknown) {
    super('the disk failed to make written bytes durable', { cause });
  }
}

/** Another writer has opened the log. */
export class FencedFailure extends Error {
  override readonly name = 'FencedFailure';

  constructor() {
    super('another writer has opened the log');
  }
}

/** Waits for a sync and marks its failure as one. */
export async function synced(sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (thrown) {
    throw new SyncFailure(thrown);
  }
}

/** The same for a blocking sync. */
export function syncedNow(sync: () => void): void {
  try {
    sync();
  } catch (thrown) {
    throw new SyncFailure(thrown);
  }
}
