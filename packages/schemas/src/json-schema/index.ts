export { incompatibilities, type SchemaVersions } from './compatibility.ts';
export { CompiledSchema, type TextPlace, type Verdict } from './compiled-schema.ts';
export type { Incompatibility } from './implication.ts';
export { type SchemaChange, type SchemaDiff, structuralDiff } from './structural-diff.ts';
export { escapeToken, type SchemaViolation, unescapeToken } from './validation-run.ts';
