/** The query service as a process. */
import { runService } from '@allsource/service-kit/lifecycle';
import { readQueryConfig } from './config/query-config.ts';
import { createQueryService } from './create-service.ts';

await runService('query', () => createQueryService(readQueryConfig(process.env)));
