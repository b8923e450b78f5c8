import type { ServerResponse } from 'node:http';
import type { Parameters } from '@allsource/shared/protocol';
import type { AnswerSink } from './json-writer.ts';

/** An answer of the read lane: what a read does with a response of Node's server, and no more. */
export interface LaneAnswer extends AnswerSink {
  readonly destroyed: boolean;
  setHeader(name: string, value: string): void;
  /** Sends a whole answer made of kept bytes and a short text behind them. */
  endKept(body: Buffer, behind: string): void;
}

/** What a read needs of its call, whatever carried it: a `Call` fits, and one of the read lane. */
export interface ReadCall {
  readonly query: Parameters;
  readonly request: { readonly originalUrl: string };
  readonly response: ServerResponse | LaneAnswer;
  /** The tenant the request works in. */
  tenant(): string;
  /** A path parameter, percent-decoded. */
  pathParameter(name: string): string;
}
