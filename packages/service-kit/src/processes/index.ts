export { takeLeftoverTimeOnly } from './leftover-time.ts';
export { serviceNodeArguments } from './node-arguments.ts';
export { type Program, startProgram } from './start-program.ts';
