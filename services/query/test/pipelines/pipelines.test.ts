import { expect, test } from '@jest/globals';
import { createLogger } from '@allsource/service-kit/observability';
import { POSITION_ZERO, systemClock } from '@allsource/shared/model';
import { DefinitionDirectory } from '../../src/definitions/definition-directory.ts';
import { PipelineResults } from '../../src/pipelines/pipeline-results.ts';
import { PipelineRuntime } from '../../src/pipelines/pipeline-runtime.ts';
import { Pipelines } from '../../src/pipelines/pipelines.ts';

const ID = '00000000-0000-4000-8000-000000000001';

test('pipelines whose definitions are still being read are not taken for missing', async () => {
  let isSettled = false;
  const logger = createLogger('query', 'silent');
  const outbound = { hosts: [], privateHosts: [] };
  const results = new PipelineResults();
  const written: string[] = [];
  const noteWrite = async ({ name }: { readonly name: string }) => {
    written.push(name);
    return POSITION_ZERO;
  };
  const pipelines = new Pipelines({
    directory: new DefinitionDirectory(),
    isSettled: () => isSettled,
    writer: { set: noteWrite, remove: noteWrite },
    follower: { coreHead: async () => POSITION_ZERO },
    runtime: new PipelineRuntime({
      folder: 'never-made',
      outbound,
      logger,
      lookUp: async () => null,
      onRemoving: () => undefined,
    }),
    results,
    outbound,
    clock: systemClock,
    logger,
  });
  const wish = {
    id: ID,
    name: 'mapped',
    source_event_types: ['in'],
    operators: [{ type: 'filter', field: 'bad', op: 'eq', value: false }],
    output: 'emit:out.mapped',
  };
  const starting = expect.objectContaining({ code: 'starting' });
  expect(() => pipelines.ofTenant('acme')).toThrow(starting);
  expect(() => pipelines.one('acme', ID)).toThrow(starting);
  await expect(pipelines.register('acme', wish)).rejects.toEqual(starting);
  await expect(pipelines.remove('acme', ID)).rejects.toEqual(starting);
  expect(written).toEqual([]);

  isSettled = true;
  expect(pipelines.ofTenant('acme')).toEqual([]);
  expect(() => pipelines.one('acme', ID)).toThrow(expect.objectContaining({ code: 'not_found' }));
  results.close();
});
