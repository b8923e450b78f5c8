/** The thread that encodes and writes blocks; the durability argument is that of block-writer.ts. */
import { serveJobs } from '@allsource/service-kit/threads';
import { writeBlock } from './block-writer.ts';

serveJobs(writeBlock);
