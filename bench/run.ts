/** `npm run bench`: measures AllSource and, beside it, the peers that are on this machine. README.md says how to read what it prints. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../scripts/build.ts';
import { type ComparisonResult, runComparisons } from './cases/comparisons.ts';
import { runBeside } from './cases/beside.ts';
import { runCatchUp } from './cases/catch-up.ts';
import { runDiskPerEvent } from './cases/disk-per-event.ts';
import { runLanes } from './cases/lanes.ts';
import { runSchemas } from './cases/schemas.ts';
import { runLag } from './cases/lag.ts';
import { runLiveLatency } from './cases/live.ts';
import { runMemory } from './cases/memory.ts';
import { runMixed } from './cases/mixed.ts';
import { runSafetyCost } from './cases/safety-cost.ts';
import { runStored, STORED_CASES } from './cases/stored.ts';
import { runSubscribers } from './cases/subscribers.ts';
import { runSustained } from './cases/sustained.ts';
import { chartSvg } from './chart.ts';
import { describeMachine, loadAverage } from './environment.ts';
import { Bench } from './measurement.ts';
import { type BenchOptions, optionsOrExit } from './options.ts';
import { type BenchReport, reportText } from './report.ts';
import { coreSubject, sleepingCoreSubject } from './subjects/core.ts';
import { findPeers } from './subjects/peers.ts';
import type { MissingSubject, Subject } from './subjects/subject.ts';
import { findWrk } from './wrk.ts';

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const options = optionsOrExit(process.argv.slice(2));
const outcome = await build();
if (outcome.kind === 'failed') process.exitCode = 1;
else await measure(options);

async function measure(chosen: BenchOptions): Promise<void> {
  const bench = new Bench(chosen);
  try {
    const { subjects, notMeasured } = chooseSubjects(chosen);
    const machine = describeMachine(bench.folder);
    const loadAverageBefore = loadAverage();
    const { measurements, notStarted } = await runCases(bench, subjects);
    const report: BenchReport = {
      takenAt: new Date().toISOString(),
      machine,
      loadAverageBefore,
      loadAverageAfter: loadAverage(),
      options: chosen,
      subjects: subjects.filter(({ name }) => !notStarted.some((one) => one.name === name)),
      notMeasured: [...notMeasured, ...notStarted],
      measurements,
    };
    process.stdout.write(`${reportText(report)}\n`);
    writeResults(chosen.resultsFolder, report);
    if (measurements.some(({ fault }) => fault !== null)) process.exitCode = 1;
  } finally {
    bench.close();
  }
}

async function runCases(bench: Bench, subjects: readonly Subject[]): Promise<ComparisonResult> {
  const result = await runComparisons(bench, subjects);
  const { measurements } = result;
  if (bench.wants('lanes')) measurements.push(...(await runLanes(bench)));
  if (bench.wants('schemas')) measurements.push(...(await runSchemas(bench)));
  if (bench.wants('P12')) measurements.push(...(await runLiveLatency(bench)));
  if (bench.wants('P13')) measurements.push(...(await runSubscribers(bench)));
  if (bench.wants('lag')) measurements.push(...(await runLag(bench)));
  if (bench.wants('catch-up')) measurements.push(...(await runCatchUp(bench)));
  if (bench.wants('mixed')) measurements.push(...(await runMixed(bench)));
  if (bench.wants('beside')) measurements.push(...(await runBeside(bench)));
  if (STORED_CASES.some((name) => bench.wants(name)))
    measurements.push(...(await runStored(bench, subjects)));
  if (bench.wants('P17')) measurements.push(...(await runDiskPerEvent(bench)));
  if (bench.wants('P18')) measurements.push(...(await runSustained(bench)));
  if (bench.wants('P19')) measurements.push(...(await runSafetyCost(bench)));
  if (bench.wants('memory')) measurements.push(...(await runMemory(bench)));
  return result;
}

function chooseSubjects({ measuresPeers }: BenchOptions): {
  subjects: Subject[];
  notMeasured: MissingSubject[];
} {
  const found = [sleepingCoreSubject(), ...(measuresPeers ? findPeers() : [])];
  return {
    subjects: [coreSubject(), ...found.filter((peer) => 'start' in peer)],
    notMeasured: [
      ...found.filter((peer) => 'missing' in peer),
      ...(findWrk() === null ? [{ name: 'wrk (C)', missing: 'no wrk on the PATH' }] : []),
    ],
  };
}

function writeResults(folder: string, report: BenchReport): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, 'latest.svg'), chartSvg(report.measurements));
}
