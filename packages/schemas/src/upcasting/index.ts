export { VERSION_MEMBER, versionOfEvent } from './event-version.ts';
export { keptTexts } from './kept-texts.ts';
export { UpcastFault } from './mapping-run.ts';
export { invalidUpcaster } from './mapping-text.ts';
export { Mappings } from './mappings.ts';
export { samplePayloads } from './sample-payloads.ts';
export { tryUpcaster, type UpcasterTrial } from './try-upcaster.ts';
export { pathOf, versionsWithoutPath } from './upcast-path.ts';
export {
  type AskedUpcast,
  failureMembers,
  parseUpcast,
  versionMembers,
} from './upcast-answer.ts';
export {
  type PayloadFunctions,
  type Upcast,
  type UpcastEvent,
  type UpcastFailure,
  Upcasts,
  type UpcastTarget,
} from './upcasts.ts';
