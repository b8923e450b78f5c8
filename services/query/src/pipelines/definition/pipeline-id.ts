import { quoted } from '@allsource/shared/model';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Why a text is not the id of a pipeline, or null. */
export function pipelineIdFault(text: string): string | null {
  if (UUID.test(text)) return null;
  return `The id of a pipeline is ${quoted(text)}; allowed is a UUID.`;
}
