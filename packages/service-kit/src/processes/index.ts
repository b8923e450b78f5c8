export { takeLeftoverTimeOnly } from './leftover-time.ts';
export { type Program, startProgram } from './start-program.ts';
