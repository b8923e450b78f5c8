import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { CompiledSchemas, SchemaFold } from '@allsource/schemas/registry';
import { ChangeTurns } from '../../src/schemas/change-turns.ts';
import { SchemaService } from '../../src/schemas/schema-service.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { framesOf } from '../../src/storage/stretch.ts';

function world() {
  const log = new MemoryLog();
  const fold = new SchemaFold();
  log.folds.push(fold);
  const service = new SchemaService({
    fold,
    compiled: new CompiledSchemas(),
    appender: log,
    hasTenant: () => true,
    turns: new ChangeTurns(),
    functions: { call: () => Promise.reject(new TypeError('there are none')) },
  });
  const register = (subject: string, text: string, tenant = 'acme') =>
    service.register(tenant, {
      subject,
      text,
      description: 'd',
      tags: ['t'],
      version: null,
      upcaster: null,
    });
  return { log, fold, service, register };
}

function everything(fold: SchemaFold) {
  return ['acme', 'globex'].map((tenant) => ({
    subjects: [...fold.subjects(tenant)],
    enforcement: fold.enforcement(tenant),
    bytes: fold.bytes(tenant),
  }));
}

describe('the fold of schemas', () => {
  it('is the same from a checkpoint, and takes up where that ends', async () => {
    const { log, fold, service, register } = world();
    await register('a.b', '{"type": "object",  "maximum": 1.0}');
    await register('a.b', '{"type":"object"}');
    await register('a.b', '{"type":"array"}', 'globex');
    await service.setCompatibility('acme', 'c.d', 'FULL');
    await service.setEnforcement('acme', 'warn');
    const loaded = new SchemaFold();
    const parts = fold.save();
    // A checkpoint is written beside the appends: what comes meanwhile is in some of its parts, and is folded again.
    await register('a.b', '{"type":"object","minProperties":0}');
    for (const part of parts) loaded.load(part);
    for await (const frame of framesOf(log.read(position(1)))) loaded.apply(frame);
    expect(everything(loaded)).toEqual(everything(fold));
    expect(loaded.appliedPosition).toBe(fold.appliedPosition);
    expect(loaded.latest('acme', 'a.b')?.version).toBe(3);
  });

  it('passes over frames that it knows', async () => {
    const { log, fold, register } = world();
    await register('a.b', '{}');
    const before = everything(fold);
    for await (const frame of framesOf(log.read(position(1)))) fold.apply(frame);
    expect(everything(fold)).toEqual(before);
  });
});

describe('schemas registered at once', () => {
  it('get one version each', async () => {
    const { service, register } = world();
    const registered = await Promise.all(Array.from({ length: 10 }, () => register('a.b', '{}')));
    expect(registered.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(service.versions('acme', 'a.b')).toHaveLength(10);
  });

  it('are refused when the tenant has as many bytes of them as it may have', async () => {
    const { service, register } = world();
    const text = JSON.stringify({ description: 'x'.repeat(LIMITS.schemaBytesMax - 100) });
    const fitting = Math.floor(LIMITS.schemaTenantBytesMax / text.length);
    for (let i = 0; i < fitting; i++) await register('a.b', text);
    await expect(register('a.b', text)).rejects.toMatchObject({ code: 'too_many_schemas' });
    await expect(register('a.b', text, 'globex')).resolves.toMatchObject({ version: 1 });
    expect(service.find('acme', 'a.b').version).toBe(fitting);
  });

  it('leave nothing behind when the log refuses', async () => {
    const { log, service, register } = world();
    log.appendSystem = () => Promise.reject(problem('storage_full', 'full'));
    await expect(register('a.b', '{}')).rejects.toMatchObject({ code: 'storage_full' });
    expect(service.list('acme')).toEqual([]);
  });
});
