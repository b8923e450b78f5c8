import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** A TCP connection that sends exactly the bytes it is given and cuts what comes back into answers. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #wanted: { readonly resolve: (answer: RawAnswer) => void }[] = [];
  readonly #answers: RawAnswer[] = [];
  readonly closed: Promise<void>;
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1');
      this.#cut();
    });
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawConnection(socket)));
    });
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Sends the text in pieces of so many bytes, each in a packet of its own. */
  async sendInPieces(text: string, bytes: number): Promise<void> {
    for (let at = 0; at < text.length; at += bytes) {
      this.send(text.slice(at, at + bytes));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Sends nothing more; answers can still be read. */
  halfClose(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next answer. */
  answer(): Promise<RawAnswer> {
    const ready = this.#answers.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => this.#wanted.push({ resolve }));
  }

  #cut(): void {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#text.slice(0, end);
      const status = Number(head.slice(9, 12));
      const bytes = status < 200 ? 0 : Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (this.#text.length < end + 4 + bytes) return;
      const body = this.#text.slice(end + 4, end + 4 + bytes);
      this.#text = this.#text.slice(end + 4 + bytes);
      const answer = { status, head, body };
      const wanted = this.#wanted.shift();
      if (wanted === undefined) this.#answers.push(answer);
      else wanted.resolve(answer);
    }
  }
}
