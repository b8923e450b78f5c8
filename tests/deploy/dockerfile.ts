/** Reads a Dockerfile into its instructions: comments dropped, continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly argument: string;
}

/** The instructions of each stage; the first list holds what stands before the first FROM. */
export function stagesOf(text: string): Instruction[][] {
  const lines = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: Instruction[][] = [[]];
  for (const line of lines) {
    const space = line.indexOf(' ');
    const instruction = { name: line.slice(0, space), argument: line.slice(space + 1).trim() };
    if (instruction.name === 'FROM') stages.push([]);
    stages.at(-1)?.push(instruction);
  }
  return stages;
}

/** The arguments of all instructions of a name. */
export function argumentsOf(stage: readonly Instruction[] | undefined, name: string): string[] {
  return (stage ?? []).filter((step) => step.name === name).map((step) => step.argument);
}

/** The variables that ENV instructions set. */
export function environmentOf(stage: readonly Instruction[] | undefined): Record<string, string> {
  const pairs = argumentsOf(stage, 'ENV').flatMap((argument) => argument.split(/\s+/));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}
