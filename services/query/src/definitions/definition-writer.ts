/**
 * Has definitions kept by core, and waits until this service has folded them: who was answered reads what it wrote. The change is durable when core has answered;
 * where the fold is late, the caller is told so with the position of the change.
 *
 * Each change names the position of the change before it, so that of two at once one is refused (`definition_conflict`). A request is sent once: whether a change
 * whose answer did not come was made is not known, and the caller is told that.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Upstream } from '@allsource/service-kit/forward';
import type { LogFollower } from '@allsource/service-kit/feed';
import { isErrorCode, type Problem, problem, type ProblemMembers } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, position } from '@allsource/shared/model';
import {
  DEFINITIONS_PATH,
  type DefinitionKind,
  INTERNAL_TOKEN_HEADER,
} from '@allsource/shared/protocol';

export interface DefinitionWriterOptions {
  readonly core: Upstream;
  /** Null as long as it is not there. */
  readonly internalToken: () => string | null;
  /** Fills the definitions of this service. */
  readonly follower: Pick<LogFollower, 'coreHead' | 'waitFor'>;
}

/** Which definition is changed, and the position of its last change that the caller knows of; 0: there is none. */
export interface DefinitionTarget {
  readonly kind: DefinitionKind;
  readonly tenant: string;
  readonly name: string;
  readonly expectedPosition: number;
}

interface WriteRequest {
  readonly method: 'PUT' | 'DELETE';
  readonly target: DefinitionTarget;
  readonly body: string | null;
}

/** Bytes of an answer of core: a position, or a problem. */
const ANSWER_BYTES_MAX = 64 * 1024;

export class DefinitionWriter {
  readonly #options: DefinitionWriterOptions;

  constructor(options: DefinitionWriterOptions) {
    this.#options = options;
  }

  /**
   * Sets a definition to a document, JSON text of an object. Resolves with the position of the change. Throws `definition_conflict`, `too_many_definitions`,
   * `body_too_large`, `upstream_unavailable`, or `read_behind` when the change is made and not folded yet.
   */
  set(target: DefinitionTarget, document: string): Promise<Position> {
    return this.#write({ method: 'PUT', target, body: document });
  }

  /** Removes a definition. Resolves with the position of the change. Throws what `set` throws, and `not_found`. */
  remove(target: DefinitionTarget): Promise<Position> {
    return this.#write({ method: 'DELETE', target, body: null });
  }

  async #write(write: WriteRequest): Promise<Position> {
    const answer = await answerTo(this.#open(write), write.body);
    const members = membersOf(answer.text);
    const at = members['position'];
    if (answer.status !== 200 || typeof at !== 'number') {
      const refused = refusal(answer.status, members);
      if (refused.code === 'definition_conflict') await this.#seeNewest();
      throw refused;
    }
    const made = position(at);
    if (await this.#options.follower.waitFor(made, LIMITS.accessWaitMs)) return made;
    throw problem(
      'read_behind',
      `The change is made, at position ${made}, and this service has not read it within ${LIMITS.accessWaitMs} ms. Look again shortly.`,
      { wanted_position: made },
    );
  }

  /** Whoever looks again after a conflict finds the change that came between. */
  async #seeNewest(): Promise<void> {
    const { follower } = this.#options;
    await follower.waitFor(await follower.coreHead(), LIMITS.accessWaitMs);
  }

  #open({ method, target, body }: WriteRequest): ClientRequest {
    const token = this.#options.internalToken();
    if (token === null)
      throw problem('starting', 'Core has not been reached yet. Try again shortly.');
    const { kind, tenant, name, expectedPosition } = target;
    const path = [kind, tenant, encodeURIComponent(name)].join('/');
    const headers =
      body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    return this.#options.core.request({
      method,
      path: `${DEFINITIONS_PATH}/${path}?expected_position=${expectedPosition}`,
      headers: { ...headers, [INTERNAL_TOKEN_HEADER]: token },
    });
  }
}

interface CoreAnswer {
  readonly status: number;
  readonly text: string;
}

async function answerTo(request: ClientRequest, body: string | null): Promise<CoreAnswer> {
  request.once('timeout', () => request.destroy(unanswered()));
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).on('error', reject);
      request.end(body ?? undefined);
    });
    return { status: response.statusCode ?? 502, text: await textOf(response) };
  } catch (error) {
    throw unanswered(error);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unanswered(cause?: unknown): Problem {
  return problem(
    'upstream_unavailable',
    'Core does not answer. It is not known whether the change was made: look at the definition, then decide.',
    { upstream: 'core', outcome: 'unknown' },
    cause,
  );
}

function membersOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // Text that is no JSON is no answer of core; the caller says so.
    return {};
  }
}

/** Facts of a refusal of core that its caller can act on. */
const FACTS = ['changed_position', 'limit', 'limit_bytes', 'limit_depth'];

function refusal(status: number, members: Record<string, unknown>): Problem {
  const { code, detail } = members;
  if (typeof code !== 'string' || !isErrorCode(code) || typeof detail !== 'string') {
    const unreadable = `Core answered ${status} without a reason that can be read.`;
    return problem('upstream_unavailable', unreadable, { upstream_status: status });
  }
  const facts = FACTS.flatMap((name) => {
    const fact = members[name];
    return typeof fact === 'number' ? [[name, fact] as const] : [];
  });
  return problem(code, detail, Object.fromEntries(facts) satisfies ProblemMembers);
}
