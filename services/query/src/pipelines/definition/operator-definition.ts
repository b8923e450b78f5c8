/** The operators as they are written in a definition: the fields of the contract, and those that this store adds (marked). */

export const FILTER_OPS = ['eq', 'ne', 'gt', 'lt', 'contains'] as const;
export const REDUCE_FUNCTIONS = ['sum', 'count', 'avg', 'min', 'max'] as const;
export const WINDOW_TYPES = ['tumbling', 'sliding', 'session'] as const;
/** When a window is output: with each event that changes it, or once when nothing can change it any more. */
export const WINDOW_OUTPUTS = ['update', 'close'] as const;

export type ReduceFunction = (typeof REDUCE_FUNCTIONS)[number];

export interface FilterDefinition {
  readonly type: 'filter';
  readonly field: string;
  readonly op: (typeof FILTER_OPS)[number];
  readonly value: unknown;
}

export type Transform =
  | { readonly kind: 'uppercase' | 'lowercase' | 'trim' }
  | { readonly kind: 'multiply' | 'add'; readonly by: number };

export interface MapDefinition {
  readonly type: 'map';
  readonly field: string;
  readonly transform: Transform;
}

export interface ReduceDefinition {
  readonly type: 'reduce';
  readonly field: string;
  readonly function: ReduceFunction;
  readonly groupBy: string | null;
}

export interface WindowDefinition {
  readonly type: 'window';
  readonly windowType: (typeof WINDOW_TYPES)[number];
  readonly sizeSeconds: number;
  /** Of sliding windows: how far apart they begin. */
  readonly slideSeconds: number;
  /** Of session windows: the pause that ends one. */
  readonly sessionTimeoutSeconds: number;
  /** Added: how far behind the latest event an event may be that still counts in a window that has passed. */
  readonly allowedLatenessSeconds: number;
  /** Added. */
  readonly outputOn: (typeof WINDOW_OUTPUTS)[number];
  readonly aggregation: ReduceDefinition;
}

export type EnrichSource =
  | { readonly kind: 'rows'; readonly rows: Readonly<Record<string, string>> }
  | { readonly kind: 'pipeline'; readonly id: string }
  | { readonly kind: 'projection'; readonly name: string }
  | { readonly kind: 'http'; readonly url: string };

export interface EnrichDefinition {
  readonly type: 'enrich';
  readonly source: EnrichSource;
  readonly fields: readonly string[];
  /** Added: the field whose value is looked up; null: the entity id of the event. */
  readonly key: string | null;
  /** Added: the member that takes the fields; null: they are put beside the others. */
  readonly into: string | null;
  /** Added: how long an answer of an HTTP source is used again. */
  readonly cacheSeconds: number;
}

export interface BranchDefinition {
  readonly type: 'branch';
  readonly field: string;
  readonly branches: ReadonlyMap<string, string>;
}

export type OperatorDefinition =
  | FilterDefinition
  | MapDefinition
  | ReduceDefinition
  | WindowDefinition
  | EnrichDefinition
  | BranchDefinition;
