import type { Call } from '@allsource/service-kit/http';
import { LIMITS } from '@allsource/shared/limits';
import type { OwnProjection } from '../own-projections/own-projections.ts';
import type { OwnReads } from '../own-projections/own-reads.ts';

interface OwnRead {
  readonly reads: OwnReads;
  readonly own: OwnProjection;
}

/** Answers the state of one key, in the form in which the states of all projections are answered. */
export async function answerOwnState(
  call: Call,
  { reads, own, key }: OwnRead & { readonly key: string },
): Promise<void> {
  const state = await reads.one(call, own, key);
  const { name, type } = own.definition;
  const status = own.state?.status ?? own.definition.wanted;
  const names = JSON.stringify({ projection: name, entity_id: key, kind: type, status });
  call.json(200, `${names.slice(0, -1)},"state":${state ?? 'null'},"found":${state !== null}}`);
}

/** Answers the states of some keys, in their order. */
export async function answerOwnStates(
  call: Call,
  { reads, own, keys }: OwnRead & { readonly keys: readonly string[] },
): Promise<void> {
  const states = await reads.some(call, own, keys);
  const rows = keys.map((key, index) => {
    const state = states[index] ?? null;
    return `{"entity_id":${JSON.stringify(key)},"state":${state ?? 'null'},"found":${state !== null}}`;
  });
  call.json(
    200,
    `{"projection":${JSON.stringify(own.definition.name)},"states":[${rows.join(',')}],"total":${rows.length}}`,
  );
}

/** Answers a page of states in the order of their keys, or the state of the key that the query names. */
export async function answerOwnPage(call: Call, { reads, own }: OwnRead): Promise<void> {
  const key = call.query.text('entity_id');
  if (key !== null) return await answerOwnState(call, { reads, own, key });
  const limit =
    call.query.integer('limit', { min: 0, max: LIMITS.bulkStatesMax }) ?? LIMITS.pageEventsDefault;
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const keyPrefix = call.query.text('entity_id_prefix') ?? '';
  const after = call.query.text('after');
  const { states, total, hasMore } = await reads.page(call, own, {
    keyPrefix,
    limit,
    offset,
    after,
  });
  const rows = states.map(
    ({ key: entity, state }) => `{"entity_id":${JSON.stringify(entity)},"state":${state}}`,
  );
  call.json(
    200,
    `{"projection":${JSON.stringify(own.definition.name)},"states":[${rows.join(',')}],` +
      `"count":${rows.length},"total":${total},"has_more":${hasMore}}`,
  );
}
