export { JobThread, type JobThreadOptions, threadFile } from './job-thread.ts';
export { serveJobs } from './serve-jobs.ts';
