export { type AwakeProcessors, awakeProcessorsOf } from './awake-processors.ts';
export { Crowding } from './crowding.ts';
export { takeLeftoverTimeOnly } from './leftover-time.ts';
export { serviceNodeArguments } from './node-arguments.ts';
export { type Program, startProgram } from './start-program.ts';
export { type StarvationOptions, type StarvationRule, watchForStarvation } from './starvation.ts';
