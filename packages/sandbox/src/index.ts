export { SandboxFault, type SandboxFaultKind, type SourcePlace } from './sandbox-fault.ts';
export { SandboxedFunction, type SandboxedSource } from './sandboxed-function.ts';
