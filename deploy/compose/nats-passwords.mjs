/**
 * Makes the passwords with which core and the query service log in to NATS, once for each deployment: docker-compose.yml runs it before
 * everything else. The files are readable by the owner and its group only: NATS runs as another user of the group, so that it reads
 * these files and not the internal token beside them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';

const FOLDER = '/run/allsource';

for (const user of ['core', 'query']) {
  const file = `${FOLDER}/nats-${user}-password`;
  if (existsSync(file)) continue;
  // Under another name first, so that nobody ever reads half a password. The letter keeps NATS from reading a number.
  const draft = `${file}.draft`;
  writeFileSync(draft, `p${randomBytes(24).toString('hex')}`, { mode: 0o440, flush: true });
  renameSync(draft, file);
}
