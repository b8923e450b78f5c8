import type { RecordBatchStreamWriter } from 'apache-arrow';
import type { ArrowPart, EventColumns } from './arrow-parts.ts';
import type { ByteTarget, ExportWriter } from './export-writer.ts';

/** An Arrow IPC stream with the schema of the store's own streams. */
export class ArrowWriter implements ExportWriter<ArrowPart> {
  readonly #target: ByteTarget;
  readonly #ipc: RecordBatchStreamWriter<EventColumns>;
  #pieces: Uint8Array[] = [];

  private constructor(target: ByteTarget, ipc: RecordBatchStreamWriter<EventColumns>) {
    this.#target = target;
    this.#ipc = ipc;
  }

  static async open(target: ByteTarget): Promise<ArrowWriter> {
    const { AsyncByteQueue, RecordBatchStreamWriter } = await import('apache-arrow');
    const ipc = new RecordBatchStreamWriter<EventColumns>();
    const writer = new ArrowWriter(target, ipc);
    const queue = new AsyncByteQueue();
    queue.write = (piece) => {
      if (piece instanceof Uint8Array) writer.#pieces.push(piece);
    };
    ipc.reset(queue);
    return writer;
  }

  async write({ batch }: ArrowPart): Promise<void> {
    this.#ipc.write(batch);
    await this.#flush();
  }

  async end(): Promise<void> {
    this.#ipc.finish();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    if (bytes.length > 0) await this.#target.write(bytes);
  }
}
