/**
 * What a webhook gets: a POST with a JSON body, signed as Standard Webhooks lays down. The id of a delivery is the same at every try and after every restart, so its
 * receiver can leave out what it has had; the time and so the signature are of the try, so an old one cannot be sent again by somebody who has read it.
 */
import { createHmac } from 'node:crypto';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import type { Carried } from '../operators/carried.ts';
import type { OutputId } from './pipeline-file.ts';

/** Names a delivery for good. */
export function deliveryId(
  { run }: Pick<Pipeline, 'run'>,
  { position, ordinal }: OutputId,
): string {
  return `msg_${run}_${position}_${ordinal}`;
}

/** The body of the delivery of an output. */
export function deliveryBody(output: Carried, pipeline: Pipeline, ordinal: number): string {
  const { eventId, eventType, entityId, position, timestamp } = output.origin;
  const time = formatTimestamp(micros(timestamp));
  const event = { id: eventId, event_type: eventType, entity_id: entityId, position };
  const id = deliveryId(pipeline, { position, ordinal });
  return (
    `{"id":"${id}","type":"pipeline.output","timestamp":"${time}","data":{` +
    `"pipeline_id":"${pipeline.id}","pipeline":${JSON.stringify(pipeline.name)},` +
    `"event":${JSON.stringify(event)},"output":${output.text}}}`
  );
}

/** The headers of one try. `nowSeconds` is the time of the try. */
export function deliveryHeaders(
  body: string,
  of: { readonly id: string; readonly secret: string; readonly nowSeconds: number },
): Record<string, string> {
  const { id, secret, nowSeconds } = of;
  return {
    'content-type': 'application/json',
    'user-agent': 'AllSource-Pipeline',
    'webhook-id': id,
    'webhook-timestamp': String(nowSeconds),
    'webhook-signature': `v1,${signature(`${id}.${nowSeconds}.${body}`, secret)}`,
  };
}

function signature(signed: string, secret: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return createHmac('sha256', key).update(signed).digest('base64');
}
