import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isRunning, LauncherWorld, until, type Urls } from './launcher-world.ts';

interface StandInAnswer {
  readonly pid: number;
  readonly environment: Record<string, string>;
}

async function ask(url: string): Promise<StandInAnswer> {
  const response = await fetch(url);
  return (await response.json()) as StandInAnswer;
}

async function pids(urls: Urls): Promise<number[]> {
  const answers = await Promise.all(Object.values(urls).map(ask));
  return answers.map((answer) => answer.pid);
}

let world: LauncherWorld;
beforeEach(() => {
  world = new LauncherWorld();
});
afterEach(async () => {
  await world.dispose();
});

describe('a start', () => {
  it('starts core before the others, prints the three URLs and the data folder, and stops core last on SIGTERM', async () => {
    const launcher = world.launch();
    const urls = await launcher.urls();
    expect(launcher.text).toContain(`data folder     ${world.dataDir}`);
    const [core] = await Promise.all(Object.values(urls).map(ask));
    expect(core?.environment).toMatchObject({
      ALLSOURCE_DATA_DIR: world.dataDir,
      CORE_URL: urls.core,
      QUERY_URL: urls.query,
      CONTROL_PLANE_URL: urls['control-plane'],
    });
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    const journal = world.journal();
    expect(journal[0]).toBe('core started');
    expect(journal.at(-1)).toBe('core stopped');
    expect(journal).toHaveLength(6);
  });

  it('prints the API key on the first start only, and later says where it is kept', async () => {
    const first = world.launch();
    await first.urls();
    expect(first.text).toContain('Bearer ask_first-start');
    first.process.kill('SIGINT');
    expect(await first.ended).toBe(0);
    const second = world.launch();
    await second.urls();
    expect(second.text).not.toContain('ask_first-start');
    expect(second.text).toContain(join(world.dataDir, 'api-key'));
    expect(second.text).not.toContain('DEV MODE');
  });

  it('says loudly that dev mode is on', async () => {
    const launcher = world.launch({ ALLSOURCE_DEV_MODE: 'true' });
    await launcher.urls();
    expect(launcher.text).toContain('DEV MODE');
  });

  it('takes Ctrl-C that comes twice at once, as npm hands it down, for one wish to stop', async () => {
    const launcher = world.launch();
    await launcher.urls();
    launcher.process.kill('SIGINT');
    launcher.process.kill('SIGINT');
    expect(await launcher.ended).toBe(0);
  });
});

describe('a start that cannot succeed', () => {
  it('names a bad value, an unknown name and what is allowed, and starts nothing', async () => {
    const launcher = world.launch({ QUERY_PORT: 'seven', ALLSOURCE_DATADIR: '/x' });
    expect(await launcher.ended).toBe(2);
    expect(launcher.text).toContain(
      'QUERY_PORT is "seven"; allowed: a whole number from 0 to 65535.',
    );
    expect(launcher.text).toContain('ALLSOURCE_DATADIR is not a setting');
    expect(world.journal()).toEqual([]);
  });

  it('refuses dev mode on an address that others can reach', async () => {
    const launcher = world.launch({ ALLSOURCE_DEV_MODE: 'true', ALLSOURCE_HOST: '0.0.0.0' });
    expect(await launcher.ended).toBe(2);
    expect(launcher.text).toContain('ALLSOURCE_HOST is 0.0.0.0');
  });

  it('refuses a data folder that another launcher uses, and leaves that one alone', async () => {
    const first = world.launch();
    const urls = await first.urls();
    const second = world.launch();
    expect(await second.ended).toBe(2);
    expect(second.text).toContain(
      `The data folder ${world.dataDir} is in use by npm start (process ${first.process.pid})`,
    );
    expect((await ask(urls.core)).pid).toBeGreaterThan(0);
  });

  it('names the setting of a port that is in use', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as AddressInfo;
    const launcher = world.launch({ CONTROL_PLANE_PORT: String(port) });
    expect(await launcher.ended).toBe(2);
    expect(launcher.text).toContain(`CONTROL_PLANE_PORT is ${port}, and something listens`);
    expect(world.journal()).toEqual([]);
    await new Promise((resolve) => squatter.close(resolve));
  });
});

describe('when something dies', () => {
  it('says which service ended, with its last words, stops the others and returns 1', async () => {
    const launcher = world.launch();
    const urls = await launcher.urls();
    await fetch(`${urls.query}/fail`);
    expect(await launcher.ended).toBe(1);
    expect(launcher.text).toContain('query has ended by itself (exit code 1)');
    expect(launcher.text).toContain('query stops: the disk is gone');
    expect(launcher.text).toContain(join(world.dataDir, 'logs', 'query.log'));
    expect(readFileSync(join(world.dataDir, 'logs', 'query.log'), 'utf8')).toContain(
      'the disk is gone',
    );
    expect(world.journal().at(-1)).toBe('core stopped');
  });

  it('says by which signal a service was killed', async () => {
    const launcher = world.launch();
    const urls = await launcher.urls();
    process.kill((await ask(urls.core)).pid, 'SIGKILL');
    expect(await launcher.ended).toBe(1);
    expect(launcher.text).toContain('core has ended by itself (signal SIGKILL)');
  });

  it('leaves no service behind when the launcher itself is killed with -9', async () => {
    const launcher = world.launch();
    const services = await pids(await launcher.urls());
    await launcher.kill();
    await until(() => services.every((pid) => !isRunning(pid)), 'the services to stop');
    expect(world.journal().filter((line) => line.endsWith('stopped'))).toHaveLength(3);
  });

  it('starts again at once after everything was killed with -9', async () => {
    const first = world.launch();
    const services = await pids(await first.urls());
    for (const pid of services) process.kill(pid, 'SIGKILL');
    await first.kill();
    const second = world.launch();
    await second.urls();
    expect(existsSync(join(world.dataDir, 'owner.json'))).toBe(true);
  });

  it('kills what hangs on a second signal, and returns 1', async () => {
    const launcher = world.launch();
    const urls = await launcher.urls();
    await fetch(`${urls.query}/hang`);
    launcher.process.kill('SIGTERM');
    await launcher.untilText('Stopping...');
    // No longer than needed: a process that is on its way out has no handler for a signal any more.
    const repeat = setInterval(() => launcher.process.kill('SIGTERM'), 100);
    await launcher.untilText('Second signal');
    clearInterval(repeat);
    expect(await launcher.ended).toBe(1);
  });
});
