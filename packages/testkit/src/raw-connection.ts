import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** The status line and the headers as they came. */
  readonly head: string;
  /** Header names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly isChunked: boolean;
}

/** A TCP connection that sends exactly the bytes it is given and cuts what comes back into answers. */
export class RawConnection {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #wanted: ((answer: RawAnswer) => void)[] = [];
  readonly #answers: RawAnswer[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1');
      this.#cut();
    });
  }

  static open(url: string): Promise<RawConnection> {
    const { hostname: host, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ port: Number(port), host, noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawConnection(socket)));
    });
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The next answer. */
  answer(): Promise<RawAnswer> {
    const ready = this.#answers.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => this.#wanted.push(resolve));
  }

  /** Sends the text in pieces of so many bytes, each in a packet of its own. */
  async sendInPieces(text: string, bytes: number): Promise<void> {
    for (let at = 0; at < text.length; at += bytes) {
      this.send(text.slice(at, at + bytes));
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
  }

  /** Sends nothing more; answers can still be read. */
  halfClose(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  async ask(text: string): Promise<RawAnswer> {
    this.send(text);
    return await this.answer();
  }

  #cut(): void {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = this.#text.slice(0, end);
      const lines = head.split('\r\n');
      const headers = new Map(
        lines.slice(1).map((line) => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
      );
      const status = Number(head.slice(9, 12));
      const isChunked = headers.get('transfer-encoding') === 'chunked';
      const read = isChunked
        ? chunkedBody(this.#text, end + 4)
        : plainBody(
            this.#text,
            end + 4,
            status < 200 ? 0 : Number(headers.get('content-length') ?? 0),
          );
      if (read === null) return;
      this.#text = this.#text.slice(read.endsAt);
      const body = Buffer.from(read.body, 'latin1').toString('utf8');
      this.#give({ status, head, headers, body, isChunked });
    }
  }

  #give(answer: RawAnswer): void {
    const wanted = this.#wanted.shift();
    if (wanted === undefined) this.#answers.push(answer);
    else wanted(answer);
  }
}

interface ReadBody {
  readonly body: string;
  readonly endsAt: number;
}

function plainBody(text: string, start: number, bytes: number): ReadBody | null {
  const endsAt = start + bytes;
  return text.length < endsAt ? null : { body: text.slice(start, endsAt), endsAt };
}

function chunkedBody(text: string, start: number): ReadBody | null {
  const parts: string[] = [];
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const bytes = Number.parseInt(text.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + bytes;
    if (text.length < end + 2) return null;
    if (bytes === 0) return { body: parts.join(''), endsAt: end + 2 };
    parts.push(text.slice(lineEnd + 2, end));
    at = end + 2;
  }
}
