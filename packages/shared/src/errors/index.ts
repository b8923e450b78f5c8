export { ERROR_CATALOGUE, type ErrorCode, type ErrorKind, isErrorCode } from './catalogue.ts';
export { Problem, type ProblemMembers, problem } from './problem.ts';
export {
  type ErrorEdge,
  PROBLEM_CONTENT_TYPE,
  type ProblemContext,
  problemFacts,
  problemToWire,
} from './wire.ts';
