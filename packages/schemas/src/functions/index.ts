export { type FunctionAnswer, type FunctionCall, LoadedFunctions } from './loaded-functions.ts';
export { ThreadedFunctions } from './threaded-functions.ts';
