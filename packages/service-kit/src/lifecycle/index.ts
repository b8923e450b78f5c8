export { type FolderLock, lockedBy, lockFolder, type LockOwner } from './folder-lock.ts';
export { type RunningService, runService } from './run-service.ts';
export { YoungCollector } from './young-collector.ts';
