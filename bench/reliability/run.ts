/** `npm run bench:reliability`: kills, cuts and flips, the same for AllSource and for its peers. README.md says what the figures mean. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build.ts';
import { describeMachine, findProgram } from '../environment.ts';
import { reliabilityTable, type SubjectResult } from './report.ts';
import { allsource } from './subjects/allsource.ts';
import { jetStream, syncAlwaysFault } from './subjects/jetstream.ts';
import { sqlite } from './subjects/sqlite.ts';
import type { ReliabilitySubject } from './subject.ts';
import { cutTrial, flipTrial, killTrial } from './trials.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    cuts: { type: 'string', default: '50' },
    flips: { type: 'string', default: '200' },
    seed: { type: 'string', default: '20261121' },
    only: { type: 'string', default: '' },
    'nats-server': { type: 'string', default: findProgram('nats-server') ?? '' },
    'run-folder': { type: 'string', default: resolve(import.meta.dirname, '../.run') },
    results: { type: 'string', default: resolve(import.meta.dirname, '../results') },
  },
});

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const outcome = await build();
if (outcome.kind === 'failed') process.exitCode = 1;
else await measure();

async function measure(): Promise<void> {
  mkdirSync(values['run-folder'], { recursive: true });
  const folder = mkdtempSync(join(values['run-folder'], 'reliability-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const machine = describeMachine(folder);
  const results: SubjectResult[] = [];
  mkdirSync(values.results, { recursive: true });
  let text = '';
  for (const subject of subjects()) {
    results.push(await tried(subject, folder));
    text = reliabilityTable({ takenAt: new Date().toISOString(), machine, results });
    // A long run that is interrupted leaves what it has.
    writeFileSync(join(values.results, 'reliability.md'), `${text}\n`);
  }
  process.stdout.write(`${text}\n`);
}

function subjects(): ReliabilitySubject[] {
  const all = [allsource(), ...jetStreams(values['nats-server']), sqlite()];
  return all.filter(({ name }) => name.toLowerCase().includes(values.only.toLowerCase()));
}

function jetStreams(server: string): ReliabilitySubject[] {
  const fault = server === '' ? 'there is no nats-server' : syncAlwaysFault(server);
  if (fault !== null) process.stderr.write(`NATS JetStream, sync always: NOT MEASURED, ${fault}\n`);
  if (server === '') return [];
  const asItComes = jetStream(server, 'default');
  return fault === null ? [jetStream(server, 'always'), asItComes] : [asItComes];
}

async function tried(subject: ReliabilitySubject, folder: string): Promise<SubjectResult> {
  const own = (name: string) => {
    const path = mkdtempSync(join(folder, `${name}-`));
    return { subject, folder: path, seed: Number(values.seed) };
  };
  const say = (text: string) => process.stderr.write(`${subject.name}: ${text}\n`);
  say(`${values.kills} kills`);
  const kill = await killTrial(own('kill'), Number(values.kills));
  say(`${values.flips} flips`);
  const flip = await flipTrial(own('flip'), Number(values.flips));
  say(`${values.cuts} cuts after a clean stop, and after a kill`);
  const cuts = Number(values.cuts);
  const cutStopped = await cutTrial(own('cut'), { cuts, after: 'stop' });
  const cutKilled = await cutTrial(own('cut'), { cuts, after: 'kill' });
  return { subject, kill, flip, cutStopped, cutKilled };
}
