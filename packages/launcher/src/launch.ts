/**
 * Runs the three services of one machine as child processes. Core starts first, because the others follow its log; they start when it is ready. The stop is
 * the other way round: the gateway and the control plane first, so that no request is cut off by a missing core, then core.
 *
 * The launcher holds the lock of the data folder as long as it runs; each service holds the lock of its own folder below it as well, so a service
 * that outlives its launcher still keeps others away from its files.
 *
 * If one service ends by itself, the launcher says which, how, and with which last words, stops the others and returns 1. It never
 * restarts one: a service that cannot go on has a reason that a person must see, and a supervisor above may restart the whole.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, type Environment } from '@allsource/service-kit/config';
import { lockFolder } from '@allsource/service-kit/lifecycle';
import {
  dataFolder,
  type LaunchPlan,
  planLaunch,
  readLaunchSettings,
  type ServiceName,
} from './launch-plan.ts';
import { ServiceLog } from './service-log.ts';
import { type ProcessEnd, ServiceProcess } from './service-process.ts';
import { untilServing } from './serving.ts';
import type { StopSignals } from './stop-signals.ts';
import type { Terminal } from './terminal.ts';
import { welcome } from './welcome.ts';

/** On top of what a service gives its running requests: closing stores takes a moment too. */
const STOP_MARGIN_MS = 10_000;
const SLOW_START_NOTICE_MS = 10_000;
const SERVICES: readonly ServiceName[] = ['core', 'control-plane', 'query'];

export interface LaunchOptions {
  readonly environment: Environment;
  readonly workingFolder: string;
  /** The folder that holds `<service>/dist/main.js`. */
  readonly servicesFolder: URL;
  readonly terminal: Terminal;
  readonly signals: StopSignals;
}

/** Runs the services until they are told to stop. Resolves with the exit code: 0 after a stop, 1 after a failure, 2 for settings. */
export async function launch(options: LaunchOptions): Promise<number> {
  try {
    const settings = readLaunchSettings(options.environment);
    const lock = await lockFolder(dataFolder(settings, options.workingFolder), 'npm start');
    try {
      requireBuild(options.servicesFolder);
      const plan = await planLaunch(settings, options);
      return await new Launch(options, plan).run();
    } finally {
      await lock.release();
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    options.terminal.complain(`AllSource cannot start. ${error.message}`);
    return 2;
  }
}

function requireBuild(servicesFolder: URL): void {
  for (const name of SERVICES) {
    const file = mainFile(servicesFolder, name);
    if (!existsSync(file))
      throw new ConfigError([`${file} does not exist. Build first: npm run build.`]);
  }
}

function mainFile(servicesFolder: URL, name: ServiceName): string {
  return fileURLToPath(new URL(`${name}/dist/main.js`, servicesFolder));
}

/** What ends the wait of a launch. */
type Outcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'signal' }
  | { readonly kind: 'ended'; readonly end: ProcessEnd };

class Launch {
  readonly #options: LaunchOptions;
  readonly #plan: LaunchPlan;
  readonly #services: ServiceProcess[] = [];
  #isKilled = false;

  constructor(options: LaunchOptions, plan: LaunchPlan) {
    this.#options = options;
    this.#plan = plan;
  }

  async run(): Promise<number> {
    const { terminal, signals } = this.#options;
    void signals.second.then(() => this.#killAll());
    const outcome = await this.#runUntilOutcome();
    if (outcome.kind === 'ended') this.#reportEnd(outcome.end);
    else terminal.say('Stopping...');
    const isClean = await this.#stopAll();
    if (outcome.kind === 'ended' || !isClean) return 1;
    terminal.say('AllSource has stopped.');
    return 0;
  }

  async #runUntilOutcome(): Promise<Outcome> {
    const core = this.#start('core');
    const coreOutcome = await this.#untilReady([core]);
    if (coreOutcome.kind !== 'ready') return coreOutcome;
    const followers = [this.#start('control-plane'), this.#start('query')];
    const outcome = await this.#untilReady(followers);
    if (outcome.kind !== 'ready') return outcome;
    const serving = await this.#untilServing();
    if (serving.kind !== 'ready') return serving;
    this.#options.terminal.say(welcome(this.#plan, core.sayings));
    return Promise.race([this.#signalled(), this.#anyEnd()]);
  }

  #start(name: ServiceName): ServiceProcess {
    const { servicesFolder, terminal } = this.#options;
    const { environment, dataDir } = this.#plan;
    const log = new ServiceLog({ service: name, folder: join(dataDir, 'logs'), terminal });
    const service = new ServiceProcess({
      name,
      mainFile: mainFile(servicesFolder, name),
      environment,
      log,
    });
    this.#services.push(service);
    return service;
  }

  #untilReady(services: readonly ServiceProcess[]): Promise<Outcome> {
    const names = services.map((service) => service.name).join(' and ');
    const allReady = Promise.all(services.map((service) => service.ready));
    return this.#until(allReady, `Waiting for ${names} (a large log takes a while)...`);
  }

  /** Waits until the services can serve: the gateway has caught up with the log. */
  async #untilServing(): Promise<Outcome> {
    const stop = new AbortController();
    const urls = await Promise.all(this.#services.map((service) => service.ready));
    const serving = untilServing(urls, stop.signal);
    try {
      return await this.#until(
        serving,
        'Waiting for the query service to catch up with the log...',
      );
    } finally {
      stop.abort();
      await serving.catch(() => undefined);
    }
  }

  /** Waits for what is hoped for, a signal or the end of a service, and says what it waits for when that takes long. */
  async #until(hoped: Promise<unknown>, notice: string): Promise<Outcome> {
    const timer = setTimeout(() => this.#options.terminal.say(notice), SLOW_START_NOTICE_MS);
    const outcome = await Promise.race([
      hoped.then((): Outcome => ({ kind: 'ready' })),
      this.#signalled(),
      this.#anyEnd(),
    ]);
    clearTimeout(timer);
    return outcome;
  }

  async #signalled(): Promise<Outcome> {
    await this.#options.signals.first;
    return { kind: 'signal' };
  }

  async #anyEnd(): Promise<Outcome> {
    const end = await Promise.race(this.#services.map((service) => service.ended));
    return { kind: 'ended', end };
  }

  #reportEnd({ service: name, how }: ProcessEnd): void {
    const service = this.#services.find((candidate) => candidate.name === name);
    const lastLines = service?.log.lastLines ?? [];
    this.#options.terminal.complain(
      [
        '',
        `${name} has ended by itself (${how}). The other services are being stopped.`,
        ...(lastLines.length === 0
          ? ['It left no message.']
          : ['Its last lines:', ...lastLines.map((line) => `  ${line}`)]),
        `Its log: ${service?.log.file}`,
      ].join('\n'),
    );
  }

  /** Stops what runs, core last. Returns false when something had to be killed. */
  async #stopAll(): Promise<boolean> {
    const graceMs = this.#plan.shutdownGraceMs + STOP_MARGIN_MS;
    const core = this.#services.filter((service) => service.name === 'core');
    const others = this.#services.filter((service) => service.name !== 'core');
    let isClean = true;
    for (const group of [others, core]) {
      const stops = group.map(async (service) => {
        if (await service.stop(graceMs)) return;
        isClean = false;
        this.#options.terminal.complain(
          `${service.name} did not stop within ${graceMs} ms and was killed. Its log: ${service.log.file}`,
        );
      });
      await Promise.all(stops);
    }
    for (const service of this.#services) service.log.close();
    return isClean && !this.#isKilled;
  }

  #killAll(): void {
    this.#isKilled = true;
    this.#options.terminal.complain('Second signal: the services are killed.');
    for (const service of this.#services) service.kill();
  }
}
