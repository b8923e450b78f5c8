export { ERROR_CATALOGUE, type ErrorCode, type ErrorKind, isErrorCode } from './catalogue.ts';
export { Problem, type ProblemMembers, problem } from './problem.ts';
export {
  CONFLICT_INDEX_HEADER,
  type ErrorEdge,
  PROBLEM_CONTENT_TYPE,
  type ProblemContext,
  problemFacts,
  problemHeaders,
  problemToWire,
} from './wire.ts';
