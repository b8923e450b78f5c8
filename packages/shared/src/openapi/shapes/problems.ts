/** What the three services answer when they refuse. */
import { ERROR_CATALOGUE } from '../../errors/catalogue.ts';
import { constant, flag, object, oneOf, text, whole, type JsonSchema } from '../json-schema.ts';

const PROBLEM_MEMBERS = {
  type: text('`urn:allsource:problem:` and the code.'),
  title: text(),
  status: whole(),
  detail: text('A sentence: what was wrong, with which value, what is allowed.'),
  code: oneOf(Object.keys(ERROR_CATALOGUE), 'What programs branch on.'),
  retryable: flag('True when the same request may succeed later unchanged.'),
};
const PROBLEM_CONTEXT = {
  instance: text('The path of the request.'),
  traceId: text('The id under which the log of the service knows the request.'),
};

/** A problem has further members with the numbers to act on. */
const OPEN = { additionalProperties: true };

export const PROBLEM_SHAPES: Readonly<Record<string, JsonSchema>> = {
  CoreProblem: {
    description:
      'What core refuses, as problem details (RFC 9457). `error` is a text with a prefix that existing clients know; a violated schema has an object there.',
    ...object(
      {
        error: {
          anyOf: [text(), object({ code: text(), message: text() }, {}, OPEN)],
        },
        ...PROBLEM_MEMBERS,
      },
      PROBLEM_CONTEXT,
      OPEN,
    ),
  },
  CoreVersionConflict: {
    description:
      'Exactly these members, because existing clients take anything else for another error.',
    ...object(
      {
        error: constant('version_conflict'),
        expected_version: whole(),
        current_version: whole(),
      },
      {},
      { additionalProperties: false },
    ),
  },
  GatewayProblem: {
    description:
      'What the query service refuses, as problem details (RFC 9457) with an `error` object.',
    ...object(
      {
        error: object({ code: text(), message: text() }, {}, OPEN),
        ...PROBLEM_MEMBERS,
      },
      PROBLEM_CONTEXT,
      OPEN,
    ),
  },
  ControlPlaneProblem: {
    description:
      'What the control plane refuses, as problem details (RFC 9457); `error` is the code.',
    ...object({ error: text(), message: text(), ...PROBLEM_MEMBERS }, PROBLEM_CONTEXT, OPEN),
  },
};
