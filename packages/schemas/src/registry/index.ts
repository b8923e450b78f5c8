export { CompiledSchemas } from './compiled-schemas.ts';
export {
  SchemaFold,
  type SchemaSubject,
  type SchemaUpcaster,
  type SchemaVersion,
  upcasterBytes,
  type UpcasterWork,
} from './schema-fold.ts';
export { appendSteps, payloadSteps } from './validation-budget.ts';
