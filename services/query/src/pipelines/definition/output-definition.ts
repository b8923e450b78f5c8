/** Where the outputs of a pipeline go. */

/** Into the log, as events of the same tenant. */
export interface EmitOutput {
  readonly kind: 'emit';
  readonly eventType: string;
  /** The field of the output that names the entity; null: the entity of the event behind the output. */
  readonly entityField: string | null;
}

/** Into rows that can be read and followed. */
export interface TableOutput {
  readonly kind: 'table';
  /** The fields of the output that make the key of its row; null: the group, the window or the entity. */
  readonly key: readonly string[] | null;
}

/** To a URL, signed. */
export interface WebhookOutput {
  readonly kind: 'webhook';
  readonly url: string;
  /** `whsec_` and the secret in Base64. */
  readonly secret: string;
  /** Tries before a delivery is put among the dead letters. */
  readonly attempts: number;
  /** The pause behind the first try; each further one is twice as long, up to an hour. */
  readonly firstDelayMs: number;
}

export type Destination = EmitOutput | TableOutput | WebhookOutput;

/** The `_route` that a branch has put into the output decides. */
export interface RoutedOutput {
  readonly kind: 'branches';
  readonly branches: ReadonlyMap<string, Destination>;
  /** Where outputs go whose route is not among them; null: nowhere, and they are counted as filtered. */
  readonly otherwise: Destination | null;
}

export type OutputDefinition = Destination | RoutedOutput;

/** The name under which the destination of an output without branches is known. */
export const ONLY_ROUTE = '';
/** The name of the destination for other routes. */
export const OTHER_ROUTE = '*';

/** All destinations of an output by the name of their route. */
export function destinationsOf(output: OutputDefinition): ReadonlyMap<string, Destination> {
  if (output.kind !== 'branches') return new Map([[ONLY_ROUTE, output]]);
  const all = new Map(output.branches);
  if (output.otherwise !== null) all.set(OTHER_ROUTE, output.otherwise);
  return all;
}

/** The event types that an output writes. */
export function emittedTypes(output: OutputDefinition): string[] {
  const types = [...destinationsOf(output).values()].flatMap((destination) =>
    destination.kind === 'emit' ? [destination.eventType] : [],
  );
  return [...new Set(types)];
}
