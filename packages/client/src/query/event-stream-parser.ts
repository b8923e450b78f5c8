/** One message of a `text/event-stream`. */
export interface StreamMessage {
  /** The last id the stream has named, here or before; empty when it has named none. */
  readonly id: string;
  readonly event: string;
  /** Null for a message that carries only an id or a name. */
  readonly data: string | null;
}

/** Cuts the text of a `text/event-stream` into messages, as the HTML standard describes. Comments (heart-beats) yield nothing. */
export class EventStreamParser {
  #rest = '';
  #id = '';
  #event = '';
  #data: string[] = [];
  #hasField = false;

  /** Takes the next piece of text and returns the messages that are whole with it. */
  push(text: string): StreamMessage[] {
    const messages: StreamMessage[] = [];
    this.#rest += text;
    // A carriage return at the very end may be the first half of a line break.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = this.#line(line);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #line(line: string): StreamMessage | null {
    if (line === '') return this.#flush();
    if (line.startsWith(':')) return null;
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#hasField = true;
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #flush(): StreamMessage | null {
    if (!this.#hasField) return null;
    const message = {
      id: this.#id,
      event: this.#event,
      data: this.#data.length === 0 ? null : this.#data.join('\n'),
    };
    this.#hasField = false;
    this.#event = '';
    this.#data = [];
    return message;
  }
}
