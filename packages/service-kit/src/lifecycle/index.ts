export { type FolderLock, lockFolder } from './folder-lock.ts';
export { type RunningService, runService } from './run-service.ts';
