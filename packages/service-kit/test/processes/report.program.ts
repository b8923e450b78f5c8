/** Says what it was started with. */
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';

process.send?.({
  args: process.argv.slice(2),
  environment: Object.keys(process.env).filter((name) => !name.startsWith('NODE_CHANNEL_')),
  priority: getPriority(),
  hasOneThread: process.execArgv.includes('--single-threaded'),
  scheduling: schedulingClass(),
});
process.disconnect();

/** SCHED_OTHER is 0, SCHED_IDLE 5 (proc(5)); null on another system than Linux. */
function schedulingClass(): number | null {
  const stat = '/proc/self/stat';
  if (!existsSync(stat)) return null;
  return Number(readFileSync(stat, 'utf8').split(') ', 2)[1]?.split(' ')[38]);
}
