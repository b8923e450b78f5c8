import { LIMITS } from '@allsource/shared/limits';
import type { EnrichDefinition, EnrichSource } from '../definition/operator-definition.ts';
import { OperatorFault, type Lookup, SourceUnavailable } from '../operators/operator.ts';
import { OutboundFault, type OutboundRequests } from '../outbound/outbound-requests.ts';
import type { LookUpSource } from './host-protocol.ts';
import { KeptAnswers } from './kept-answers.ts';

export interface LookupsOptions {
  readonly requests: OutboundRequests;
  /** Asks the service for what lies in its stores. Rejects with SourceUnavailable. */
  readonly ask: (source: LookUpSource, key: string) => Promise<string | null>;
  readonly nowMs: () => number;
}

/** Where the `enrich` operators of a pipeline look things up. */
export class Lookups {
  readonly #options: LookupsOptions;

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** What an operator looks things up with. */
  of({ source, cacheSeconds }: EnrichDefinition): Lookup {
    switch (source.kind) {
      case 'rows':
        return (key) => Promise.resolve(source.rows[key] ?? null);
      case 'pipeline':
        return (key) => this.#options.ask({ kind: 'pipeline', name: source.id }, key);
      case 'projection':
        return (key) => this.#options.ask({ kind: 'projection', name: source.name }, key);
      case 'http':
        return this.#kept(source, cacheSeconds);
    }
  }

  #kept(source: Extract<EnrichSource, { kind: 'http' }>, cacheSeconds: number): Lookup {
    const { nowMs } = this.#options;
    const kept = new KeptAnswers({ ageMs: cacheSeconds * 1_000, nowMs });
    return (key) => kept.get(key, () => this.#fetch(source.url, key));
  }

  async #fetch(url: string, key: string): Promise<string | null> {
    // As parts of a path these lead elsewhere.
    if (key === '.' || key === '..') return null;
    try {
      const answer = await this.#options.requests.send({
        url: new URL(url.replaceAll('{key}', encodeURIComponent(key))),
        method: 'GET',
        headers: { accept: 'application/json', 'user-agent': 'AllSource-Pipeline' },
        body: null,
        bytesMax: LIMITS.outboundAnswerBytesMax,
      });
      if (answer.status === 404) return null;
      if (answer.status === 200) return objectText(answer.body);
      throw new SourceUnavailable(`The source of 'enrich' answered ${answer.status}.`);
    } catch (error) {
      if (!(error instanceof OutboundFault)) throw error;
      throw error.isRefused
        ? new OperatorFault(error.message)
        : new SourceUnavailable(error.message);
    }
  }
}

function objectText(body: Buffer): string {
  const text = body.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch {
    // Said below.
  }
  throw new OperatorFault("The source of 'enrich' did not answer with a JSON object.");
}
