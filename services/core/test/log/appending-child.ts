/**
 * A process that appends to a log until it is killed: `node appending-child.ts <folder> <segment bytes> <seed>`. It prints each acknowledged frame as
 * "<last position> <checksum>", after the append has resolved and before the next one begins.
 */
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { assert, must } from '@allsource/shared/lang';
import { SeededRandom } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { SampleFrames } from './sample-frames.ts';

const STDOUT = 1;
const [folder, segmentBytes, seed] = process.argv.slice(2);
const random = new SeededRandom(Number(seed));
const store = new FileLogStore({
  disk: new NodeDisk(must(folder, 'a folder')),
  segmentBytes: Number(segmentBytes),
  partitionCount: 256,
});
const maker = new SampleFrames(await store.open());
// It never ends by itself, which is when Node would keep what it has compiled.
flushCompileCache();
for (;;) {
  const group = maker.take(1 + random.below(4), { payloadBytes: random.below(900) });
  const outcome = await store.append(group);
  assert(outcome.kind === 'appended', `an append that succeeds, and not: ${outcome.kind}`);
  const lines = group.map((frame) => `${frame.lastPosition} ${frame.checksum}\n`);
  writeSync(STDOUT, lines.join(''));
}
