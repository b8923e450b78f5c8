import { globSync } from 'node:fs';
import { Agent, request } from 'node:http';
import {
  FEED_PATH,
  FeedDecoder,
  HEAD_PATH,
  INTERNAL_TOKEN_HEADER,
} from '@allsource/shared/protocol';
import { join } from 'node:path';
import { API_KEY, coreSubject, INTERNAL_TOKEN, RunningCore } from '../../subjects/core.ts';
import type { ReliabilitySubject, RunningStore, StoredEvent } from '../subject.ts';

const TYPE = 'bench.event';

/** Core alone, with its settings as they come. */
export function allsource(): ReliabilitySubject {
  return {
    name: 'AllSource core',
    version: coreSubject().version,
    setup: 'as it comes',
    start: async (folder) => new RunningAllSource(await RunningCore.start(folder)),
    eventFiles: (folder) => globSync(join(folder, 'core/log/*.{seg,sealed}')).toSorted(),
  };
}

class RunningAllSource implements RunningStore {
  readonly #core: RunningCore;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(core: RunningCore) {
    this.#core = core;
  }

  get output(): string {
    return this.#core.output;
  }

  async append(key: string, text: string): Promise<void> {
    const body = `{"event_type":"${TYPE}","entity_id":"entity-${key.length}","payload":${text}}`;
    const { status } = await this.#ask('POST', '/api/v1/events', { key, body });
    if (status !== 200 && status !== 201) throw new Error(`append answered ${status}`);
  }

  /** As the other services of the store read: the feed, which gives frames as they lie on the disk. */
  async readAll(): Promise<StoredEvent[]> {
    const head = JSON.parse((await this.#ask('GET', HEAD_PATH)).body.toString()) as {
      head: number;
    };
    const answer = await this.#ask('GET', `${FEED_PATH}?from=1&to=${head.head}`);
    if (answer.status !== 200) throw new Error(`the feed answered ${answer.status}`);
    const events: StoredEvent[] = [];
    let last = 0;
    for (const message of new FeedDecoder().push(answer.body)) {
      if (message.kind !== 'frame') continue;
      last = message.frame.lastPosition;
      for (const event of message.frame.events()) {
        if (event.type !== TYPE) continue;
        const text = event.payload.toString();
        events.push({ key: keyOf(text), text });
      }
    }
    if (last < head.head) throw new Error(`the feed ended at ${last} of ${head.head}`);
    return events;
  }

  #ask(
    method: string,
    path: string,
    sent: { readonly key?: string; readonly body?: string } = {},
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    return new Promise((resolve, reject) => {
      const asked = request(
        this.#core.url + path,
        {
          method,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${API_KEY}`,
            [INTERNAL_TOKEN_HEADER]: INTERNAL_TOKEN,
            ...(sent.body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(sent.key === undefined ? {} : { 'idempotency-key': sent.key }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }),
          );
        },
      );
      asked.on('error', reject);
      asked.end(sent.body);
    });
  }

  async kill(): Promise<void> {
    await this.#core.kill();
    this.#agent.destroy();
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#core.stop();
  }
}

function keyOf(text: string): string {
  try {
    return String((JSON.parse(text) as { key?: unknown }).key);
  } catch {
    return text;
  }
}
