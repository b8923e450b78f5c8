/**
 * A core without HTTP that appends until it is killed, and writes checkpoints all the time: `node checkpointing-child.ts <data folder> <seed>`. It prints each
 * acknowledged append as "<last position> <checksum> <key>" before the next one begins.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { assert, must } from '@allsource/shared/lang';
import { SeededRandom } from '@allsource/testkit';
import { openCore } from './open-core.ts';

const STDOUT = 1;
const [folder, seed] = process.argv.slice(2);
const random = new SeededRandom(Number(seed));
const { journal } = await openCore(must(folder, 'a folder'), { checkpointBytes: 16_384 });
// It never ends by itself, which is when Node would keep what it has compiled.
flushCompileCache();
for (let serial = 0; ; serial++) {
  const key = `key-${seed}-${serial}`;
  const isSystem = random.below(10) === 0;
  if (isSystem)
    await journal.appendSystem('default', [
      {
        entity: 'consumer:c',
        event: {
          type: '_system.consumer.acknowledged',
          payload: { consumer_id: `c${random.below(9)}`, position: journal.head },
        },
      },
    ]);
  const outcome = await journal.append({
    tenant: 'default',
    events: Array.from({ length: 1 + random.below(20) }, () => ({
      type: 'order.placed',
      entity: `entity-${random.below(5000)}`,
      payload: Buffer.from(`{"x":"${'y'.repeat(random.below(200))}"}`),
      metadata: null,
      timestamp: null,
      expectedVersion: null,
    })),
    idempotency: { key, bodyDigest: Buffer.from(key.padEnd(16).slice(0, 16)) },
  });
  assert(outcome.kind === 'appended', 'an append that succeeds');
  writeSync(STDOUT, `${outcome.frame.lastPosition} ${outcome.frame.checksum} ${key}\n`);
}
