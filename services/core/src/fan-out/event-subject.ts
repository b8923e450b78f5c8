/** What every event's NATS subject begins with: allsource.events.<tenant>.<partition>.<event_type>, the type with its own dots. */
export const EVENTS_SUBJECT = 'allsource.events';

const TOKEN = /^[A-Za-z0-9_-]+$/;

export interface SubjectParts {
  readonly tenant: string;
  readonly partition: number;
  readonly type: string;
}

/** The NATS subject of an event. A subscriber of allsource.events.acme.> gets exactly what is filed under the tenant acme. */
export function eventSubject({ tenant, partition, type }: SubjectParts): string {
  const words = type.split('.').map(subjectToken).join('.');
  return `${EVENTS_SUBJECT}.${subjectToken(tenant)}.${partition}.${words}`;
}

/**
 * A text as one token of a NATS subject. The naming rules of tenants and event types allow only what stands for itself there. Anything else would be
 * able to add a token, a wildcard or a protocol line, so it is percent-encoded byte by byte; an empty text becomes a lone %.
 */
export function subjectToken(text: string): string {
  if (TOKEN.test(text)) return text;
  if (text === '') return '%';
  let token = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    token += TOKEN.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}
