/**
 * The process in which projections of tenants are carried out, a little below the reads in priority. It reads the log from core by itself and writes the files of builds, which the
 * service only reads. It is a process and not a thread, so that nothing that goes wrong in it, not even its end, takes the reads with it. When the service is gone it saves and
 * ends by itself.
 */
import { compileProjection } from '../kinds/compile-projection.ts';
import { ProjectionHost } from './projection-host.ts';
import type { HostCommand } from './host-protocol.ts';

const host = new ProjectionHost({
  compile: compileProjection,
  nowMs: Date.now,
  send: (report) => {
    // Who cannot be told has gone.
    if (process.connected) process.send?.(report, undefined, undefined, () => {});
  },
});
process.on('message', (command: HostCommand) => host.take(command));
process.once('disconnect', () => {
  void host.close().finally(() => process.exit(0));
});
