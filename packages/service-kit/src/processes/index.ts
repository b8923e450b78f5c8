export { type Program, startProgram } from './start-program.ts';
