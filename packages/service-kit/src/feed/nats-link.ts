/**
 * One connection to NATS, made again for as long as it takes. NATS is a doorbell, not a store: nothing waits for this link,
 * and nothing is kept for it while it is down. Its owner hears of each new connection and of its end, and makes good from the log what was missed.
 *
 * The client's own reconnection is switched off: it would send again what was buffered before the break, and leave it open which
 * of it had arrived. A fresh connection begins with nothing.
 */
import { connect, type NatsConnection, wsconnect } from '@nats-io/transport-node';
import { natsAddress } from '../config/nats-address.ts';
import type { Logger } from '../observability/logger.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import { type FollowerTimers, RetryDelay, systemTimers } from './follower-timers.ts';
import { WakeUp } from './wake-up.ts';

export interface NatsLinkOptions {
  readonly natsUrl: string;
  /** How the connection is listed in NATS. */
  readonly name: string;
  readonly logger: Logger;
  /** Called with each new connection. Must not throw. */
  readonly onConnected: (connection: NatsConnection) => void;
  /** Called when that connection is gone. Must not throw. */
  readonly onDisconnected?: () => void;
  readonly timers?: FollowerTimers;
}

export class NatsLink {
  readonly #options: NatsLinkOptions;
  readonly #retry: RetryDelay;
  readonly #wakeUp: WakeUp;
  #connection: NatsConnection | null = null;
  #running: Promise<void> | null = null;
  #fault: string | null = 'NATS has not been reached yet.';
  #isClosed = false;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
    const timers = options.timers ?? systemTimers;
    this.#wakeUp = new WakeUp(timers);
    this.#retry = new RetryDelay(timers, {
      delayMsMin: FOLLOWER_LIMITS.retryDelayMsMin,
      delayMsMax: FOLLOWER_LIMITS.retryDelayMsMax,
    });
  }

  /** Why there is no connection at this moment, or null. */
  get fault(): string | null {
    return this.#fault;
  }

  start(): void {
    if (!this.#isClosed) this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeUp.notify();
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const reason = await this.#connectOnce();
      if (this.#isClosed) return;
      if (this.#fault !== reason)
        this.#options.logger.warn({ reason }, 'NATS is not connected; frames go by the feed alone');
      this.#fault = reason;
      await this.#wakeUp.wait(this.#retry.next());
    }
  }

  /** Connects and stays until the connection ends; returns why it did, or why there was none. */
  async #connectOnce(): Promise<string> {
    try {
      const connection = await this.#connect();
      if (!this.#isClosed) this.#begin(connection);
      else await connection.close();
      const error = await connection.closed();
      return error instanceof Error ? error.message : 'the connection ended';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#connection !== null) this.#options.onDisconnected?.();
      this.#connection = null;
    }
  }

  #begin(connection: NatsConnection): void {
    this.#connection = connection;
    this.#fault = null;
    this.#retry.reset();
    this.#options.logger.info({ server: connection.getServer() }, 'NATS is connected');
    this.#options.onConnected(connection);
  }

  #connect(): Promise<NatsConnection> {
    const { natsUrl, name } = this.#options;
    const { protocol } = new URL(natsUrl);
    const settings = {
      ...natsAddress(natsUrl),
      name,
      reconnect: false,
      timeout: FOLLOWER_LIMITS.natsConnectTimeoutMs,
      pingInterval: FOLLOWER_LIMITS.natsPingMs,
      ...(protocol === 'tls:' ? { tls: {} } : {}),
    };
    return protocol.startsWith('ws') ? wsconnect(settings) : connect(settings);
  }
}
