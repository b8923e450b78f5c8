import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Upstream } from '@allsource/service-kit/forward';
import { createLogFollower } from '@allsource/service-kit/feed';
import { AccessSink } from '@allsource/service-kit/access';
import { SchemaFold } from '@allsource/schemas/registry';
import { createLogger } from '@allsource/service-kit/observability';
import { DefinitionDirectory } from '../../src/definitions/definition-directory.ts';
import { DefinitionWriter } from '../../src/definitions/definition-writer.ts';
import { SettledDefinitions } from '../../src/definitions/settled-definitions.ts';
import { SystemFolds } from '../../src/definitions/system-folds.ts';
import { INTERNAL_TOKEN, StandInCore } from '../gateway/stand-in-core.ts';
import { LogWriter } from '../projections/log-writer.ts';

const logger = createLogger('query', 'silent');
const TARGET = { kind: 'projection', tenant: 'acme', name: 'a / b', expectedPosition: 0 } as const;

const ourToken = () => INTERNAL_TOKEN;

function inForce(directory: DefinitionDirectory) {
  return directory.all('projection').map(({ name, document }) => [name, document]);
}

describe('definitions in the query service', () => {
  let core: StandInCore;
  let opened: { close(): Promise<void> | void }[] = [];

  function follow() {
    const directory = new DefinitionDirectory();
    const sink = new SystemFolds({
      access: new AccessSink(),
      definitions: directory,
      schemas: new SchemaFold(),
    });
    const to = { coreUrl: core.url, internalToken: INTERNAL_TOKEN };
    const follower = createLogFollower({ ...to, sink, logger, only: 'system' });
    const upstream = new Upstream('core', core.url);
    const writer = new DefinitionWriter({ core: upstream, internalToken: ourToken, follower });
    const settled = new SettledDefinitions({ directory, follower, logger });
    follower.start();
    settled.start();
    opened.push(settled, follower, upstream);
    return { directory, writer, settled };
  }

  beforeEach(async () => {
    core = new StandInCore();
    await core.listen();
  });
  afterEach(async () => {
    for (const part of opened) await part.close();
    opened = [];
    await core.close();
  });

  it('are read by their writer, keep their numbers, and are the same for who folds the log anew', async () => {
    const { directory, writer } = follow();
    const made = await writer.set(TARGET, '{"factor": 1.0, "big": 12345678901234567890}');
    const found = directory.find('projection', 'acme', 'a / b');
    expect(found).toMatchObject({
      document: '{"factor": 1.0, "big": 12345678901234567890}',
      createdPosition: made,
      changedPosition: made,
    });
    expect(directory.find('pipeline', 'acme', 'a / b')).toBeNull();
    expect(directory.ofTenant('projection', 'other')).toEqual([]);
    const changed = await writer.set({ ...TARGET, expectedPosition: made }, '{"factor":2}');
    expect(directory.find('projection', 'acme', 'a / b')).toMatchObject({
      createdPosition: made,
      changedPosition: changed,
    });
    await writer.set({ ...TARGET, name: 'gone' }, '{}');
    const gone = directory.find('projection', 'acme', 'gone');
    await writer.remove({ ...TARGET, name: 'gone', expectedPosition: gone?.changedPosition ?? 0 });
    const other = follow();
    const wrote = await other.writer.set({ ...TARGET, kind: 'pipeline' }, '{}');
    expect(wrote).toBeGreaterThan(changed);
    expect(inForce(other.directory)).toEqual([['a / b', '{"factor":2}']]);
  });

  it('are refused to be changed by who has not seen the last change', async () => {
    const { directory, writer } = follow();
    const made = await writer.set(TARGET, '{"n":1}');
    await expect(writer.set(TARGET, '{"n":2}')).rejects.toMatchObject({
      code: 'definition_conflict',
      members: { changed_position: made },
    });
    await expect(writer.remove(TARGET)).rejects.toMatchObject({ code: 'definition_conflict' });
    expect(inForce(directory)).toEqual([['a / b', '{"n":1}']]);
  });

  it('are not carried out before they are read whole, nor while another log is read', async () => {
    const { writer } = follow();
    for (const name of ['a', 'b', 'c']) await writer.set({ ...TARGET, name }, '{}');
    const { directory, settled } = follow();
    const told: number[] = [];
    const next = () =>
      new Promise<void>((resolve) => {
        settled.onSettled(() => {
          told.push(directory.all('projection').length);
          resolve();
        });
      });
    await next();
    expect(told).toEqual([3]);
    directory.clear();
    expect(settled.isSettled).toBe(false);
  });

  it('tell each change once this service has caught up', async () => {
    const { directory, writer, settled } = follow();
    const told: number[] = [];
    settled.onSettled(() => told.push(directory.all('projection').length));
    const hear = async (count: number) => {
      while (told.at(-1) !== count) await new Promise((resolve) => setImmediate(resolve));
    };
    await writer.set(TARGET, '{}');
    await hear(1);
    await writer.set({ ...TARGET, name: 'second' }, '{}');
    await hear(2);
    expect(settled.isSettled).toBe(true);
  });
});

describe('the directory of definitions', () => {
  it('passes over frames that it knows', () => {
    const log = new LogWriter();
    const payload = '{"kind":"projection","name":"p","document":{"n":1}}';
    const event = { type: '_system.definition.set', entity: 'projection:p', payload };
    const frame = log.commit('acme', [event], true);
    const directory = new DefinitionDirectory();
    let told = 0;
    directory.onChanged(() => (told += 1));
    for (let i = 0; i < 2; i++) directory.apply(frame);
    expect(told).toBe(1);
    expect(directory.all('projection')).toHaveLength(1);
  });

  it('takes nothing from the events of a client', () => {
    const payload = '{"kind":"projection","name":"p","document":{"n":1}}';
    const event = { type: '_system.definition.set', entity: 'projection:p', payload };
    const directory = new DefinitionDirectory();
    directory.apply(new LogWriter().commit('acme', [event], false));
    expect(directory.all('projection')).toEqual([]);
  });
});
