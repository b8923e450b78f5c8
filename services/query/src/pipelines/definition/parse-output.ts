import { LIMITS } from '@allsource/shared/limits';
import { eventTypeFault } from '@allsource/shared/model';
import { isObject, Members, refusal, shown } from './members.ts';
import {
  type Destination,
  ONLY_ROUTE,
  OTHER_ROUTE,
  type OutputDefinition,
  type RoutedOutput,
  type WebhookOutput,
} from './output-definition.ts';
import { fieldPath, optionalFieldPath } from './field-path.ts';

const KINDS = ['emit', 'table', 'webhook'] as const;
const URL_LENGTH = { max: 2_048 };
const SECRET = /^whsec_[A-Za-z0-9+/]{32,100}={0,2}$/;
const ATTEMPTS = 8;
const FIRST_DELAY_MS = 1_000;
const FORMS =
  "allowed are 'table', 'emit:<event type>', an event type alone, 'webhook:<url>' and an object with 'kind'";

/** Says what the secret of a webhook is: by the name of its route, and the one that the definition gives, if any. */
export type SecretOf = (route: string, given: string | null) => string;

/** Reads the `output` of a pipeline. Throws `invalid_body` with a pointer to what cannot be used. */
export function parseOutput(value: unknown, pointer: string, secretOf: SecretOf): OutputDefinition {
  if (isObject(value) && value['kind'] === 'branches') return parseRouted(value, pointer, secretOf);
  return parseDestination(value, { pointer, route: ONLY_ROUTE, secretOf });
}

interface Place {
  readonly pointer: string;
  readonly route: string;
  readonly secretOf: SecretOf;
}

function parseRouted(value: unknown, pointer: string, secretOf: SecretOf): RoutedOutput {
  const members = new Members(value, pointer);
  members.value('kind');
  const max = LIMITS.pipelineBranchesMax;
  const branches = new Map<string, Destination>();
  for (const [route, output] of members.entries('branches', { min: 1, max })) {
    const at = new Members({ [route]: output }, members.at('branches')).at(route);
    if (route === ONLY_ROUTE || route === OTHER_ROUTE)
      throw refusal(at, `A route cannot be named ${shown(route)}.`);
    branches.set(route, parseDestination(output, { pointer: at, route, secretOf }));
  }
  const otherwise = members.has('default')
    ? parseDestination(members.value('default'), {
        pointer: members.at('default'),
        route: OTHER_ROUTE,
        secretOf,
      })
    : null;
  members.done();
  return { kind: 'branches', branches, otherwise };
}

function parseDestination(value: unknown, place: Place): Destination {
  if (typeof value === 'string') return parseText(value, place);
  const { pointer } = place;
  if (!isObject(value)) throw refusal(pointer, `The output is ${shown(value)}; ${FORMS}.`);
  const members = new Members(value, pointer);
  const destination = parseKind(members, place);
  members.done();
  return destination;
}

function parseKind(members: Members, place: Place): Destination {
  switch (members.choice('kind', KINDS)) {
    case 'emit': {
      const eventType = emittedType(
        members.text('event_type', { max: 256 }),
        members.at('event_type'),
      );
      return { kind: 'emit', eventType, entityField: optionalFieldPath(members, 'entity_id') };
    }
    case 'table':
      return { kind: 'table', key: parseKey(members) };
    case 'webhook':
      return parseWebhook(members, place);
  }
}

function parseText(text: string, place: Place): Destination {
  const { pointer, route, secretOf } = place;
  if (text === 'table') return { kind: 'table', key: null };
  if (text.startsWith('webhook:')) {
    const url = requireUrl(text.slice('webhook:'.length), pointer);
    const secret = secretOf(route, null);
    return { kind: 'webhook', url, secret, attempts: ATTEMPTS, firstDelayMs: FIRST_DELAY_MS };
  }
  const type = text.startsWith('emit:') ? text.slice('emit:'.length) : text;
  return { kind: 'emit', eventType: emittedType(type, pointer), entityField: null };
}

function emittedType(type: string, pointer: string): string {
  const fault = eventTypeFault(type);
  if (fault === null) return type;
  throw refusal(pointer, `${fault} Of an output, ${FORMS}.`);
}

function parseKey(members: Members): string[] | null {
  if (!members.has('key')) return null;
  if (typeof members.value('key') === 'string') return [fieldPath(members, 'key')];
  const paths = members.list('key', { min: 1, max: LIMITS.pipelineKeyFieldsMax });
  return paths.map((path, i) => {
    const one = new Members({ [i]: path }, members.at('key'));
    return fieldPath(one, String(i));
  });
}

function parseWebhook(members: Members, { route, secretOf }: Place): WebhookOutput {
  const url = requireUrl(members.text('url', URL_LENGTH), members.at('url'));
  const given = members.optionalText('secret', { max: 128 });
  if (given !== null && !SECRET.test(given)) {
    throw refusal(
      members.at('secret'),
      "'secret' must be 'whsec_' and 24 to 75 bytes in Base64; leave it out to have one made.",
    );
  }
  const attempts =
    members.optionalNumber('attempts', { min: 1, max: LIMITS.webhookAttemptsMax }) ?? ATTEMPTS;
  const firstDelayMs =
    members.optionalNumber('first_delay_ms', { min: 1, max: 3_600_000 }) ?? FIRST_DELAY_MS;
  const secret = secretOf(route, given);
  return { kind: 'webhook', url, secret, attempts: Math.floor(attempts), firstDelayMs };
}

function requireUrl(text: string, pointer: string): string {
  if (text.length <= URL_LENGTH.max && /^https?:\/\//i.test(text) && URL.canParse(text))
    return text;
  throw refusal(pointer, `${shown(text)} is not a URL; allowed is one of http or https.`);
}
