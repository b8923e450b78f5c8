/** Says what it was started with. */
import { getPriority } from 'node:os';

process.send?.({
  args: process.argv.slice(2),
  environment: Object.keys(process.env).filter((name) => !name.startsWith('NODE_CHANNEL_')),
  priority: getPriority(),
});
process.disconnect();
