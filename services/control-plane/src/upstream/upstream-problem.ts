import { isErrorCode, type Problem, problem, problemFacts } from '@allsource/shared/errors';
import { isRecord, parsedObject } from './answer-members.ts';
import type { ServiceAnswer, ServiceClient } from './service-client.ts';

/** The failure that another service has answered, as a problem of this one: same code, same words, same facts. */
export function upstreamProblem(service: ServiceClient, answer: ServiceAnswer): Problem {
  const body = parsedObject(answer.text);
  const code = body?.['code'];
  if (body === null || typeof code !== 'string' || !isErrorCode(code)) {
    return problem(
      'upstream_unavailable',
      `The service '${service.name}' answered ${answer.status} without a reason that can be read.`,
      { upstream: service.name, upstream_status: answer.status },
    );
  }
  const facts = Object.entries(problemFacts(body));
  const members = Object.fromEntries(facts.map(([name, fact]) => [name, asMember(fact)]));
  const detail = typeof body['detail'] === 'string' ? body['detail'] : `The service refused.`;
  return problem(code, detail, { ...members, upstream: service.name });
}

function asMember(fact: unknown): string | number | boolean | null | readonly unknown[] | object {
  if (typeof fact === 'string' || typeof fact === 'number' || typeof fact === 'boolean')
    return fact;
  if (Array.isArray(fact)) return fact;
  return isRecord(fact) ? fact : null;
}
