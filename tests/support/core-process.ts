/**
 * Core alone as a process, on a port of its own choice, for tests that kill it, starve it and start it again on the same folder. It is the bundle that
 * `npm start` runs. An answer that does not come is an `AnswerLostError`: the append may or may not be stored, as for any client.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FEED_PATH,
  FeedDecoder,
  type Frame,
  HEAD_PATH,
  INTERNAL_TOKEN_HEADER,
} from '@allsource/shared/protocol';
import { type Json, jsonBody } from '@allsource/testkit';
import { REPOSITORY } from './running-store.ts';

const MAIN = join(REPOSITORY, 'services/core/dist/main.js');
const READY = /core ready at (http:\S+)/;
const API_KEY = 'key-of-the-fault-tests';
const INTERNAL_TOKEN = 'internal-token-of-the-fault-tests';
const OUTPUT_CHARACTERS_MAX = 100_000;

export interface CoreAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Json;
}

export interface CoreRequest {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The connection ended before the answer was there. */
export class AnswerLostError extends Error {
  override readonly name = 'AnswerLostError';
}

export interface CoreProcessOptions {
  /** An existing folder for the data; otherwise a fresh one is made, and removed in the end. */
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class CoreProcess {
  readonly folder: string;
  /** The end of what the process has said. */
  output = '';
  readonly #isFolderOwn: boolean;
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;
  #url = '';
  #agent = new Agent({ keepAlive: true });
  #up = Promise.withResolvers<void>();
  #isUp = false;

  constructor({ folder, environment = {} }: CoreProcessOptions = {}) {
    this.#isFolderOwn = folder === undefined;
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'allsource-fault-'));
    this.#environment = environment;
  }

  /** Where it answers. */
  get url(): string {
    return this.#url;
  }

  /** What a client of this core presents. */
  get credentials(): Record<string, string> {
    return { authorization: `Bearer ${API_KEY}` };
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process without waiting until it is ready. */
  spawn(environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [MAIN], {
      cwd: this.folder,
      env: {
        ...serviceEnvironment(this.folder),
        CORE_PORT: '0',
        ...this.#environment,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.output = (this.output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
      });
    return child;
  }

  /** Starts the process and returns after how many milliseconds it was ready. Throws with its output when it ends before. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<number> {
    this.output = '';
    const startedAt = performance.now();
    const child = this.spawn(environment);
    child.once('exit', () => this.#ended(child));
    this.#url = await new Promise<string>((resolve, reject) => {
      child.stdout?.on('data', () => {
        const url = READY.exec(this.output)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once('close', () => reject(new TypeError(`core did not start:\n${this.output}`)));
    });
    this.#isUp = true;
    this.#up.resolve();
    return performance.now() - startedAt;
  }

  /** Resolves while core is up, else as soon as it is. Rejects when it has ended by itself. */
  up(): Promise<void> {
    return this.#up.promise;
  }

  // An end that nobody ordered must not leave clients waiting for a restart.
  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#down();
    this.#up.promise.catch(() => undefined);
    this.#up.reject(new TypeError(`core ended by itself:\n${this.output}`));
  }

  // Those who wait already go on waiting for the same promise, also over a start that is killed.
  #down(): void {
    if (this.#isUp) this.#up = Promise.withResolvers();
    this.#isUp = false;
  }

  /** Kills the process with SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Stops the process with SIGTERM and returns its exit code. */
  stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    this.#down();
    if (child === null) return null;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
    return child.exitCode;
  }

  /** Ends what runs and removes the folder if it was made here. */
  async remove(): Promise<void> {
    await this.kill();
    if (this.#isFolderOwn) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends a request with the admin key. Throws an {@link AnswerLostError} when no whole answer comes. */
  async ask(options: CoreRequest): Promise<CoreAnswer> {
    const response = await this.#send(options);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (cause) {
      throw new AnswerLostError('the answer was cut', { cause });
    }
    const text = Buffer.concat(chunks).toString('utf8');
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      body: jsonBody(text, response.headers['content-type']),
    };
  }

  #send({ method = 'GET', path, body, headers }: CoreRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = request(this.#url + path, {
        method,
        agent: this.#agent,
        headers: {
          authorization: `Bearer ${API_KEY}`,
          [INTERNAL_TOKEN_HEADER]: INTERNAL_TOKEN,
          ...(body === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': String(Buffer.byteLength(body)),
              }),
          ...headers,
        },
      });
      sent.once('response', resolve);
      sent.once('error', (cause) => reject(new AnswerLostError('no answer', { cause })));
      sent.end(body);
    });
  }

  /** How far the log reaches. */
  async head(): Promise<number> {
    return (await this.ask({ path: HEAD_PATH })).body.head as number;
  }

  /** The frames of the log from a position to the present head, as readers get them. */
  async *frames(from: number): AsyncGenerator<Frame> {
    const to = await this.head();
    if (to < from) return;
    const decoder = new FeedDecoder();
    const response = await this.#send({ path: `${FEED_PATH}?from=${from}&to=${to}` });
    if (response.statusCode !== 200) throw new TypeError(`the feed answers ${response.statusCode}`);
    for await (const chunk of response)
      for (const message of decoder.push(chunk as Buffer))
        if (message.kind === 'frame') yield message.frame;
  }
}

/** What the services of these tests have in common. */
export function serviceEnvironment(folder: string): NodeJS.ProcessEnv {
  return {
    ...inheritedEnvironment(),
    ALLSOURCE_DATA_DIR: folder,
    ALLSOURCE_BOOTSTRAP_API_KEY: API_KEY,
    ALLSOURCE_INTERNAL_TOKEN: INTERNAL_TOKEN,
    ALLSOURCE_LOG_LEVEL: 'warn',
  };
}

function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^ALLSOURCE_|^NODE_OPTIONS$|^NATS_URL$|^QUERY_URL$|^JWT_SECRET$/.test(name),
    ),
  );
}
