/** The control plane as a process. */
import { runService } from '@allsource/service-kit/lifecycle';
import { readControlPlaneConfig } from './config/control-plane-config.ts';
import { createControlPlaneService } from './create-service.ts';

await runService('control-plane', () =>
  createControlPlaneService(readControlPlaneConfig(process.env)),
);
