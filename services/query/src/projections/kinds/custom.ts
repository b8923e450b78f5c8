import type { CompiledProjection } from './compiled-projection.ts';
import { compileDeclarative } from './declarative.ts';
import type { DefinitionValue } from './definition-members.ts';
import { compileScripted } from './scripted.ts';

/** A function in JavaScript where the definition names a language or has a source, and what is said in JSON otherwise. */
export async function compileCustom(definition: DefinitionValue): Promise<CompiledProjection> {
  const { value } = definition;
  const isScript =
    typeof value === 'object' && value !== null && ('language' in value || 'source' in value);
  return isScript ? await compileScripted(definition) : compileDeclarative(definition);
}
