/** Core as a process. */
import { runService } from '@allsource/service-kit/lifecycle';
import { readCoreConfig } from './config/core-config.ts';
import { createCoreService } from './create-service.ts';

await runService('core', async () => {
  const service = await createCoreService(readCoreConfig(process.env));
  // The launcher looks for this line and shows the key; see packages/launcher.
  if (service.createdKeyFile !== null)
    process.stdout.write(`api key created: ${service.createdKeyFile}\n`);
  return service;
});
